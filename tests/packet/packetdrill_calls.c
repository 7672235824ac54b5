/* SPDX-License-Identifier: Apache-2.0 */
/* packetdrill's socket calls. One that has no place in packetdrill_shim.c fails with ENOSYS. */
#include "tests/packet/packetdrill_shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* packetdrill's table of pointers, in its order. */
enum call {
    CALL_USERDATA,
    CALL_FREE,
    CALL_SOCKET,
    CALL_BIND,
    CALL_LISTEN,
    CALL_ACCEPT,
    CALL_CONNECT,
    CALL_READ,
    CALL_READV,
    CALL_RECV,
    CALL_RECVFROM,
    CALL_RECVMSG,
    CALL_WRITE,
    CALL_WRITEV,
    CALL_SEND,
    CALL_SENDTO,
    CALL_SENDMSG,
    CALL_FCNTL,
    CALL_IOCTL,
    CALL_CLOSE,
    CALL_SHUTDOWN,
    CALL_GETSOCKOPT,
    CALL_SETSOCKOPT,
    CALL_POLL,
    CALL_NETDEV_SEND,
    CALL_NETDEV_RECEIVE,
    CALL_USLEEP,
    CALL_GETTIMEOFDAY,
    CALL_EPOLL_CREATE,
    CALL_EPOLL_CTL,
    CALL_EPOLL_WAIT,
    CALL_PIPE,
    CALL_SPLICE,
    CALLS
};

typedef void (*any_call)(void);
void packetdrill_interface_init(const char *flags, any_call interface[CALLS]);

static int error(int number) {
    errno = number;
    return -1;
}

static int so_nothing(void) {
    return 0;
}

static int so_missing(void) {
    return error(ENOSYS);
}

/* packetdrill closes what is left at the end by the system's close. */
static int descriptor(void) {
    return open("/dev/null", O_RDWR);
}

static int so_socket(void *userdata, int domain, int type, int protocol) {
    return descriptor();
}

static int so_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t addrlen) {
    shim.port = ntohs(((const struct sockaddr_in *)(const void *)addr)->sin_port);
    return 0;
}

static int so_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *addrlen) {
    if (!shim.opened || shim.accepted)
        return error(EAGAIN);
    shim.accepted = true;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(shim.tuple.remote_port)};
    memcpy(&from.sin_addr, shim.tuple.remote + 12, 4);
    if (addr && *addrlen >= sizeof from)
        memcpy(addr, &from, sizeof from);
    *addrlen = sizeof from;
    shim.fd = descriptor();
    return shim.fd;
}

static ssize_t take(size_t len) {
    uint64_t there = shim.received - shim.read;
    if (there > len)
        there = len;
    shim.read += there;
    if (there)
        return (ssize_t)there;
    if (shim.reset)
        return error(ECONNRESET);
    return shim.fin || shim.shut_read ? 0 : error(EAGAIN);
}

static ssize_t give(size_t len) {
    if (shim.shut || !shim.conn)
        return error(shim.reset ? ECONNRESET : EPIPE);
    tcp_send(shim.tcp, shim.conn, (uint32_t)len);
    shim_settle();
    return (ssize_t)len;
}

static size_t iov_size(const struct iovec *iov, size_t count) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += iov[i].iov_len;
    return len;
}

static ssize_t so_read(void *userdata, int fd, void *buf, size_t count) {
    return take(count);
}

static ssize_t so_readv(void *userdata, int fd, const struct iovec *iov, int count) {
    return take(iov_size(iov, (size_t)count));
}

static ssize_t so_recv(void *userdata, int fd, void *buf, size_t len, int flags) {
    return take(len);
}

static ssize_t so_recvmsg(void *userdata, int fd, struct msghdr *message, int flags) {
    return take(iov_size(message->msg_iov, message->msg_iovlen));
}

static ssize_t so_write(void *userdata, int fd, const void *buf, size_t count) {
    return give(count);
}

static ssize_t so_writev(void *userdata, int fd, const struct iovec *iov, int count) {
    return give(iov_size(iov, (size_t)count));
}

static ssize_t so_send(void *userdata, int fd, const void *buf, size_t len, int flags) {
    return give(len);
}

static ssize_t so_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags) {
    return give(iov_size(message->msg_iov, message->msg_iovlen));
}

static int so_ioctl(void *userdata, int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    int *value = va_arg(arguments, int *);
    va_end(arguments);
    if (request != FIONREAD)
        return error(ENOSYS);
    *value = (int)(shim.received - shim.read);
    return 0;
}

static int so_shutdown(void *userdata, int fd, int how) {
    if (how != SHUT_WR)
        shim.shut_read = true;
    if (how == SHUT_RD)
        return 0;
    shim.shut = true;
    if (shim.conn)
        tcp_close(shim.tcp, shim.conn);
    shim_settle();
    return 0;
}

static int so_close(void *userdata, int fd) {
    close(fd);
    if (fd != shim.fd || !shim.conn)
        return 0;
    /* What was not read is lost: the peer is told (RFC 2525 2.17). */
    if (shim.received != shim.read && !shim.shut)
        tcp_abort(shim.tcp, shim.conn);
    else
        tcp_close(shim.tcp, shim.conn);
    shim_settle();
    return 0;
}

static int so_setsockopt(void *userdata, int fd, int level, int name, const void *value,
                         socklen_t len) {
    int number = 0;
    if (len >= sizeof number)
        memcpy(&number, value, sizeof number);
    if (level == IPPROTO_TCP && name == TCP_MAXSEG)
        shim.maxseg = (uint16_t)number;
    return 0;
}

static int so_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *len) {
    if (level != IPPROTO_TCP || name != TCP_MAXSEG || *len < sizeof(int))
        return error(ENOPROTOOPT);
    int number = shim.maxseg ? shim.maxseg : LINUX_MSS;
    memcpy(value, &number, sizeof number);
    return 0;
}

void packetdrill_interface_init(const char *flags, any_call interface[CALLS]) {
    for (unsigned i = CALL_FREE; i < CALLS; i++)
        interface[i] = (any_call)so_missing;
    interface[CALL_USERDATA] = NULL;
    interface[CALL_FREE] = interface[CALL_LISTEN] = interface[CALL_FCNTL] = (any_call)so_nothing;
    interface[CALL_SOCKET] = (any_call)so_socket;
    interface[CALL_BIND] = (any_call)so_bind;
    interface[CALL_ACCEPT] = (any_call)so_accept;
    interface[CALL_READ] = (any_call)so_read;
    interface[CALL_READV] = (any_call)so_readv;
    interface[CALL_RECV] = interface[CALL_RECVFROM] = (any_call)so_recv;
    interface[CALL_RECVMSG] = (any_call)so_recvmsg;
    interface[CALL_WRITE] = (any_call)so_write;
    interface[CALL_WRITEV] = (any_call)so_writev;
    interface[CALL_SEND] = interface[CALL_SENDTO] = (any_call)so_send;
    interface[CALL_SENDMSG] = (any_call)so_sendmsg;
    interface[CALL_IOCTL] = (any_call)so_ioctl;
    interface[CALL_CLOSE] = (any_call)so_close;
    interface[CALL_SHUTDOWN] = (any_call)so_shutdown;
    interface[CALL_SETSOCKOPT] = (any_call)so_setsockopt;
    interface[CALL_GETSOCKOPT] = (any_call)so_getsockopt;
    interface[CALL_NETDEV_SEND] = (any_call)shim_netdev_send;
    interface[CALL_NETDEV_RECEIVE] = (any_call)shim_netdev_receive;
    interface[CALL_USLEEP] = (any_call)shim_usleep;
    interface[CALL_GETTIMEOFDAY] = (any_call)shim_gettimeofday;
}
