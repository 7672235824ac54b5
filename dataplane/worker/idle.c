/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker/idle.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_pause.h>

enum {
    RAMP_TURNS = 64,     /* empty turns before the first sleep */
    NAP_MIN = 50,        /* microseconds */
    NAP_MAX = 1000,      /* microseconds, when a port cannot wake us */
    SLEEP_MAX = 1000000, /* microseconds */
};

int idle_init(struct idle *idle, bool sleep, const struct port *ports, unsigned ports_count,
              unsigned queue) {
    *idle = (struct idle){.sleep = sleep, .interrupts = true, .epoll_fd = -1, .event_fd = -1};
    if (!sleep)
        return 0;
    idle->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    idle->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (idle->epoll_fd < 0 || idle->event_fd < 0)
        return -errno;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = idle->event_fd};
    if (epoll_ctl(idle->epoll_fd, EPOLL_CTL_ADD, idle->event_fd, &event) < 0)
        return -errno;
    for (unsigned i = 0; i < ports_count; i++) {
        if (queue >= ports[i].queues)
            continue;
        int fd = -1;
        if (ports[i].offloads & PORT_RX_INTERRUPT)
            fd = rte_eth_dev_rx_intr_ctl_q_get_fd(ports[i].id, (uint16_t)queue);
        /* Our own epoll set is level-triggered: a frame that came between the last poll and the
         * sleep still wakes us. */
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
        if (fd < 0 || epoll_ctl(idle->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            idle->interrupts = false;
    }
    return 0;
}

void idle_close(struct idle *idle) {
    if (idle->epoll_fd >= 0)
        close(idle->epoll_fd);
    if (idle->event_fd >= 0)
        close(idle->event_fd);
    idle->epoll_fd = idle->event_fd = -1;
}

bool idle_turn(struct idle *idle) {
    rte_pause();
    return idle->sleep && ++idle->empty_turns > RAMP_TURNS;
}

void idle_sleep(struct idle *idle, uint64_t timeout) {
    uint64_t longest = SLEEP_MAX;
    if (!idle->interrupts) {
        idle->nap = idle->nap == 0 ? NAP_MIN : idle->nap * 2 < NAP_MAX ? idle->nap * 2 : NAP_MAX;
        longest = idle->nap;
    }
    if (timeout > longest)
        timeout = longest;
    struct timespec wait = {.tv_sec = (time_t)(timeout / 1000000),
                            .tv_nsec = (long)(timeout % 1000000 * 1000)};
    struct epoll_event events[8];
    int ready = epoll_pwait2(idle->epoll_fd, events, 8, &wait, NULL);
    for (int i = 0; i < ready; i++)
        if (events[i].data.fd == idle->event_fd) {
            uint64_t value;
            (void)!read(idle->event_fd, &value, sizeof value);
        } else if (events[i].events & (EPOLLERR | EPOLLHUP)) {
            /* Its interface is gone. It would end every sleep at once and never say more. */
            epoll_ctl(idle->epoll_fd, EPOLL_CTL_DEL, events[i].data.fd, NULL);
            idle->interrupts = false;
        }
}

void idle_wake(void *argument) {
    struct idle *idle = argument;
    uint64_t one = 1;
    (void)!write(idle->event_fd, &one, sizeof one);
}
