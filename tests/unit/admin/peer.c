/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/admin/peer.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/admin/test.h"

int peer_open(const struct world *world) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, world->socket, strlen(world->socket));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void peer_send(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

char *peer_line(int fd) {
    size_t used = 0;
    char *line = NULL;
    for (;;) {
        /* Looks first, so that nothing of the next line is taken. */
        char block[65536];
        ssize_t n = recv(fd, block, sizeof block, MSG_PEEK);
        if (n <= 0) {
            free(line);
            return NULL;
        }
        char *end = memchr(block, '\n', (size_t)n);
        size_t take = end != NULL ? (size_t)(end - block) + 1 : (size_t)n;
        line = realloc(line, used + take + 1);
        assert_int_equal(recv(fd, line + used, take, 0), take);
        used += take;
        if (end != NULL) {
            line[used - 1] = 0;
            return line;
        }
    }
}
