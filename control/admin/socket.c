/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the Unix socket. Two brokers that start at the same time are kept apart by a lock on the
 * directory, held only while the socket is examined and bound: a lock file would stay behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/admin/private.h"

enum { LOCK_TRIES = 100, LOCK_WAIT_US = 10000 };

static bool fail(char *error, unsigned size, const char *path, const char *what) {
    snprintf(error, size, "control.socket %s: %s", path, what);
    return false;
}

static bool fail_errno(char *error, unsigned size, const char *path, const char *doing) {
    char what[128];
    snprintf(what, sizeof what, "%s: %s", doing, strerror(errno));
    return fail(error, size, path, what);
}

/* Opens the directory of the socket, made if it is missing, and locks it. -1 with an error. */
static int lock_directory(struct admin_socket *socket, char *error, unsigned size) {
    char directory[sizeof socket->path];
    const char *slash = strrchr(socket->path, '/');
    if (slash == NULL)
        strcpy(directory, ".");
    else
        snprintf(directory, sizeof directory, "%.*s",
                 slash == socket->path ? 1 : (int)(slash - socket->path), socket->path);
    if (mkdir(directory, 0755) == 0)
        strcpy(socket->directory, directory);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fail_errno(error, size, socket->path, "its directory can't be opened");
        return -1;
    }
    for (unsigned i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (i == LOCK_TRIES) {
            fail(error, size, socket->path, "another process holds a lock on its directory");
            close(fd);
            return -1;
        }
        usleep(LOCK_WAIT_US);
    }
    return fd;
}

/* Leaves the path free, or says why it can't be. */
static bool clear_path(const char *path, const struct sockaddr_un *address, char *error,
                       unsigned size) {
    struct stat status;
    if (lstat(path, &status) != 0) {
        if (errno == ENOENT)
            return true;
        return fail_errno(error, size, path, "can't be examined");
    }
    if (!S_ISSOCK(status.st_mode))
        return fail(error, size, path,
                    "there is something that is no socket; remove it or choose "
                    "another path");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_errno(error, size, path, "no socket to try it with");
    bool answered = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    int why = errno;
    close(fd);
    if (answered || why == EAGAIN)
        return fail(error, size, path,
                    "another instance is running and answers there; stop it, or give this one its "
                    "own control.socket");
    errno = why;
    if (why != ECONNREFUSED)
        return fail_errno(error, size, path, "it can't be told whether somebody answers there");
    if (unlink(path) != 0 && errno != ENOENT)
        return fail_errno(error, size, path, "a dead socket can't be removed");
    return true;
}

static bool set_group(const char *path, const char *name, char *error, unsigned size) {
    if (name == NULL)
        return true;
    struct group entry, *group = NULL;
    char buffer[4096];
    if (getgrnam_r(name, &entry, buffer, sizeof buffer, &group) != 0 || group == NULL) {
        snprintf(error, size, "control.socket_group: there is no group '%s'", name);
        return false;
    }
    if (chown(path, (uid_t)-1, group->gr_gid) != 0)
        return fail_errno(error, size, path, "its group can't be set");
    return true;
}

/* Binds with no permissions for anybody else until the group is set. */
static bool bind_path(struct admin_socket *taken, const struct sockaddr_un *address,
                      const char *group, char *error, unsigned size) {
    taken->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (taken->fd < 0)
        return fail_errno(error, size, taken->path, "can't be created");
    mode_t before = umask(0177);
    int bound = bind(taken->fd, (const struct sockaddr *)address, sizeof *address);
    int why = errno;
    umask(before);
    errno = why;
    if (bound != 0)
        return fail_errno(error, size, taken->path, "can't be bound");
    taken->bound = lstat(taken->path, &taken->status) == 0;
    if (!taken->bound)
        return fail_errno(error, size, taken->path, "can't be examined");
    bool grouped = set_group(taken->path, group, error, size);
    if (grouped && chmod(taken->path, 0660) != 0)
        return fail_errno(error, size, taken->path, "its mode can't be set");
    lstat(taken->path, &taken->status);
    if (!grouped)
        return false;
    if (listen(taken->fd, ADMIN_BACKLOG) != 0)
        return fail_errno(error, size, taken->path, "can't listen");
    return true;
}

bool admin_socket_take(struct admin_socket *taken, const char *path, const char *group, char *error,
                       unsigned error_size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *taken = (struct admin_socket){.fd = -1};
    _Static_assert(sizeof address.sun_path == sizeof taken->path, "a path fits both or neither");
    if (strlen(path) >= sizeof address.sun_path)
        return fail(error, error_size, path, "the path is longer than 107 bytes");
    strcpy(address.sun_path, path);
    strcpy(taken->path, path);
    int lock = lock_directory(taken, error, error_size);
    if (lock < 0)
        return false;
    bool good = clear_path(path, &address, error, error_size) &&
                bind_path(taken, &address, group, error, error_size);
    if (!good) {
        if (taken->fd >= 0)
            close(taken->fd);
        taken->fd = -1;
        admin_socket_remove(taken);
    }
    close(lock);
    return good;
}

/* An inode number may come again at once; the time of the last change does not. */
static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

void admin_socket_remove(struct admin_socket *taken) {
    struct stat status;
    if (taken->bound && lstat(taken->path, &status) == 0 && same_file(&status, &taken->status))
        unlink(taken->path);
    if (taken->directory[0] != 0)
        rmdir(taken->directory);
    taken->bound = false;
    taken->directory[0] = 0;
}
