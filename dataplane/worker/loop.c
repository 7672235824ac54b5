/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of a worker, one turn after the other. Every step is bounded, so that a turn stays short
 * whatever arrives: bursts of 32 frames for each queue, a fixed number of mails, timers, output
 * segments. What is left over waits for the next turn.
 */
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/worker/worker_internal.h"

enum {
    MAILS_PER_TURN = 64,
    TIMERS_PER_TURN = 64,
    SEGMENTS_PER_TURN = 128,
    /* Both are done in slices, and no further one begins when the turn is so old. What a timer or a
     * closing connection costs depends on what hangs on it. */
    TIMERS_SLICE = 16,
    SEGMENTS_SLICE = 16,
    TIMERS_UNTIL_US = 25,
    SEGMENTS_UNTIL_US = 40,
    GAUGES_EVERY = 256, /* turns; a power of two */
    TRIM_US = 1000000,
};

static void frames_free(struct rte_mbuf **frames, unsigned count_frames) {
    for (unsigned i = 0; i < count_frames; i++)
        rte_pktmbuf_free(frames[i]);
}

static void frames_handle(struct worker *worker, unsigned port, struct rte_mbuf **frames,
                          unsigned received, bool handed_over, uint64_t now) {
    struct ether_batch batch;
    bool captured = __builtin_expect(worker->capture.count > 0, 0);
    router_begin(worker->router);
    if (captured)
        worker_capture_arrivals(worker, port, frames, received, handed_over);
    ether_input(worker->ether, port, frames, received, handed_over, &batch);
    if (batch.segments_count > 0) {
        if (captured)
            worker_capture_segments(worker, port, &batch);
        tcp_input(worker->tcp, batch.segments, batch.segments_count, now);
        if (captured)
            worker_capture_segments(worker, port, &batch);
        frames_free(batch.frames, batch.segments_count);
    }
    for (unsigned i = 0; i < batch.errors_count; i++)
        tcp_icmp(worker->tcp, &batch.errors[i], now);
    if (batch.foreign_count > 0)
        handover_send(worker->config.handover, worker->config.self, batch.foreign, batch.owners,
                      batch.foreign_count, &worker->counters);
}

static unsigned receive(struct worker *worker, uint64_t now) {
    struct rte_mbuf *frames[ETHER_BURST];
    unsigned total = 0;
    const struct worker_config *config = &worker->config;
    for (unsigned port = 0; port < config->ports_count; port++) {
        if (config->self >= config->ports[port].queues)
            continue;
        unsigned received =
            rte_eth_rx_burst(config->ports[port].id, (uint16_t)config->self, frames, ETHER_BURST);
        if (received > 0)
            frames_handle(worker, port, frames, received, false, now);
        total += received;
    }
    if (config->workers > 1) {
        unsigned received = handover_receive(config->handover, config->self, frames, ETHER_BURST);
        /* The frame remembers the port it came from: batches are of one port. */
        for (unsigned i = 0; i < received;) {
            unsigned same = i + 1, port = 0;
            while (same < received && frames[same]->port == frames[i]->port)
                same++;
            while (port + 1 < config->ports_count && config->ports[port].id != frames[i]->port)
                port++;
            frames_handle(worker, port, &frames[i], same - i, true, now);
            i = same;
        }
        total += received;
    }
    return total;
}

static void inspect(struct worker *worker, const struct mail *mail) {
    struct inspection *inspection = (struct inspection *)mail->inspect.inspection;
    worker_inspect_memory(worker, &inspection->memory);
    inspection->found = 1;
    struct mail answer = *mail;
    answer.type = MAIL_INSPECTED;
    if (!mail_send(worker->mailroom, mail->from, &answer))
        parcel_release(&worker->parcels, inspection); /* the asker's deadline passes */
}

static void mail_handle(struct worker *worker, const struct mail *mail) {
    switch (mail->type) {
    case MAIL_RELEASE:
        for (unsigned i = 0; i < 6 && mail->release.parcels[i] != NULL; i++)
            parcel_came_home(&worker->parcels, mail->release.parcels[i]);
        break;
    case MAIL_PUBLISH:
    case MAIL_ROUTE_CHANGED:
    case MAIL_RETAINED:
    case MAIL_RETAINED_END:
        router_mail(worker->router, mail);
        break;
    case MAIL_INSPECT:
        if (((struct inspection *)mail->inspect.inspection)->kind == INSPECT_MEMORY)
            inspect(worker, mail);
        else
            mqtt_mail(worker->mqtt, mail);
        break;
    case MAIL_CAPTURE:
        worker_capture_mail(worker, mail);
        break;
    case MAIL_VERDICT:
    case MAIL_KICK:
    case MAIL_SUBACK:
    case MAIL_UNSUBACK:
    case MAIL_DELIVER:
    case MAIL_PUBREL_OUT:
    case MAIL_STOP:
        mqtt_mail(worker->mqtt, mail);
        break;
    default:
        count(&worker->counters, COUNTER_WORKER_MAIL_UNKNOWN);
        break;
    }
}

static unsigned mail_take(struct worker *worker) {
    struct mail mails[MAILS_PER_TURN];
    if (router_pressed(worker->router))
        return 0; /* it waits in its box until the fan-outs before it are done */
    unsigned received = mail_receive(worker->mailroom, mails, MAILS_PER_TURN);
    if (received > 0)
        router_begin(worker->router);
    for (unsigned i = 0; i < received; i++)
        mail_handle(worker, &mails[i]);
    return received;
}

static void gauges_publish(struct worker *worker) {
    struct worker_gauges *gauges = &worker->gauges;
    struct tcp_stats tcp;
    struct mqtt_stats mqtt;
    struct router_stats router;
    tcp_stats(worker->tcp, &tcp);
    mqtt_stats(worker->mqtt, &mqtt);
    router_stats(worker->router, &router);
    unsigned frames_free = rte_mempool_avail_count(worker->config.mempool);
    if (frames_free > worker->frames_free)
        frames_free = worker->frames_free;
    tcp_frames(worker->tcp, worker->frames_free - frames_free, worker->frames_free);
    __atomic_store_n(&gauges->pressure, tcp.pressure, __ATOMIC_RELAXED);
    __atomic_store_n(&gauges->connections, tcp.connections, __ATOMIC_RELAXED);
    __atomic_store_n(&gauges->connected, mqtt.connected, __ATOMIC_RELAXED);
    __atomic_store_n(&gauges->clean_sessions, mqtt.clean_sessions, __ATOMIC_RELAXED);
    __atomic_store_n(&gauges->subscriptions, router.subscriptions, __ATOMIC_RELAXED);
    __atomic_store_n(&gauges->memory_used, arena_used(worker->arena), __ATOMIC_RELAXED);
}

/* Adds to a gauge that only this worker writes. */
static inline void gauge_add(uint64_t *gauge, uint64_t n) {
    __atomic_store_n(gauge, *gauge + n, __ATOMIC_RELAXED);
}

/* The longest turn of the window that runs and of the one before it: whoever looks sees each long
 * turn for a while, and nobody takes it away from another by looking. */
static void longest(struct worker *worker, uint64_t end, uint64_t cycles) {
    uint64_t window = worker->config.clock->hz * WORKER_LATELY_S;
    if (end >= worker->window_end) {
        worker->window_before = end - worker->window_end < window ? worker->window_longest : 0;
        worker->window_longest = 0;
        worker->window_end = end + window;
    }
    if (cycles > worker->window_longest)
        worker->window_longest = cycles;
    uint64_t lately = worker->window_longest > worker->window_before ? worker->window_longest
                                                                     : worker->window_before;
    __atomic_store_n(&worker->gauges.longest_lately, lately, __ATOMIC_RELAXED);
    if (cycles > worker->gauges.longest_turn)
        __atomic_store_n(&worker->gauges.longest_turn, cycles, __ATOMIC_RELAXED);
}

/* Empty spans that the size classes keep in hand are a megabyte or two. In a quiet turn, now and
 * then, so that a class whose use swings around nothing does not go to the arena each time. */
static void trim(struct worker *worker, uint64_t end) {
    if (end < worker->trim_at)
        return;
    worker->trim_at = end + clock_cycles(worker->config.clock, TRIM_US);
    pool_trim(&worker->pool);
}

static void account(struct worker *worker, uint64_t start, bool busy, unsigned packets) {
    struct worker_gauges *gauges = &worker->gauges;
    uint64_t end = rte_rdtsc(), cycles = end - start;
    bool preempted = busy && preempted_was(&worker->preempted);
    longest(worker, end, busy && !preempted ? cycles : 0);
    gauge_add(&gauges->turns, 1);
    if (preempted) {
        gauge_add(&gauges->preempted_turns, 1);
        if (cycles > gauges->longest_preempted)
            __atomic_store_n(&gauges->longest_preempted, cycles, __ATOMIC_RELAXED);
    }
    if (busy) {
        gauge_add(&gauges->busy_turns, 1);
        gauge_add(&gauges->busy_cycles, cycles);
        gauge_add(&gauges->packets, packets);
    } else {
        gauge_add(&gauges->idle_cycles, cycles);
        trim(worker, end);
    }
    if ((gauges->turns & (GAUGES_EVERY - 1)) == 0)
        gauges_publish(worker);
}

/* `unsent`: mail waits for room in its box, and what this thread has published is not all said. */
static void sleep_until_work(struct worker *worker, uint64_t now, bool unsent) {
    struct worker_config *config = &worker->config;
    uint64_t timer = tcp_next_timer(worker->tcp);
    uint64_t start = rte_rdtsc();
    if (timer <= now)
        return;
    bool may = handover_may_sleep(config->handover, config->self);
    may = mail_may_sleep(worker->mailroom) && may;
    may =
        ether_flush(worker->ether, now) == 0 && may; /* others may have left frames for our queue */
    if (may && __atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE) == WORKER_STOP_NO) {
        gauges_publish(worker);
        if (!unsent)
            routes_offline(config->routes, config->self);
        idle_sleep(&worker->idle, timer - now);
        if (!unsent)
            routes_online(config->routes, config->self);
        gauge_add(&worker->gauges.sleeps, 1);
    }
    mail_awake(worker->mailroom);
    handover_awake(config->handover, config->self);
    gauge_add(&worker->gauges.sleep_cycles, rte_rdtsc() - start);
}

/* True when the loop is to end. */
static bool stop_requested(struct worker *worker) {
    int stop = __atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE);
    if (stop == WORKER_STOP_NO)
        return false;
    if (!worker->stopping) {
        worker->stopping = true;
        mqtt_mail(worker->mqtt, &(struct mail){.type = MAIL_STOP});
    }
    return stop == WORKER_STOP_AT_ONCE || mqtt_stopped(worker->mqtt);
}

/* True when more is due already. */
static bool timers(struct worker *worker, uint64_t start, uint64_t now) {
    uint64_t until = start + clock_cycles(worker->config.clock, TIMERS_UNTIL_US);
    for (unsigned done = 0; done < TIMERS_PER_TURN; done += TIMERS_SLICE) {
        if (!tcp_timers(worker->tcp, now, TIMERS_SLICE))
            return false;
        if (rte_rdtsc() > until)
            return true;
    }
    return true;
}

static bool output(struct worker *worker, uint64_t start, uint64_t now) {
    uint64_t until = start + clock_cycles(worker->config.clock, SEGMENTS_UNTIL_US);
    for (unsigned done = 0; done < SEGMENTS_PER_TURN; done += SEGMENTS_SLICE) {
        if (!tcp_output(worker->tcp, now, SEGMENTS_SLICE))
            return false;
        if (rte_rdtsc() > until)
            return true;
    }
    return true;
}

void worker_begin(struct worker *worker) {
    routes_online(worker->config.routes, worker->config.self);
    /* What the ports' receive queues hold is not to be counted as used. */
    worker->frames_free = rte_mempool_avail_count(worker->config.mempool);
    ether_announce(worker->ether);
    preempted_init(&worker->preempted);
    standstill_begin(worker->config.standstill, &worker->running,
                     clock_microseconds(worker->config.clock, rte_rdtsc()));
}

bool worker_turn(struct worker *worker) {
    const struct clock *clock = worker->config.clock;
    preempted_watch(&worker->preempted);
    uint64_t start = rte_rdtsc();
    uint64_t real = clock_microseconds(clock, start);
    uint64_t now = standstill_now(worker->config.standstill, &worker->running, real);
    mqtt_begin(worker->mqtt, now, clock_wall(clock, real));
    router_begin(worker->router); /* for what timers publish; bursts and mail have theirs */
    unsigned packets = receive(worker, now);
    unsigned mails = mail_take(worker);
    bool more = timers(worker, start, now);
    more |= mqtt_turn(worker->mqtt);
    more |= router_turn(worker->router);
    more |= output(worker, start, now);
    struct tcp_icmp too_big;
    if (ether_too_big(worker->ether, &too_big))
        tcp_icmp(worker->tcp, &too_big, now);
    /* Mail goes before frames: who has seen our PUBACK and comes back through another worker finds
     * the message there. Mail that finds no room does not keep us awake: the receiver wakes us when
     * it has some. But this turn is over for the others only when all it has to say is in the boxes
     * (router.h, epochs). */
    unsigned waiting = mail_flush(worker->mailroom);
    bool unsent = waiting > 0;
    __atomic_store_n(&worker->gauges.mail_waiting, waiting, __ATOMIC_RELAXED);
    if (__atomic_load_n(&worker->announce, __ATOMIC_RELAXED)) {
        __atomic_store_n(&worker->announce, false, __ATOMIC_RELAXED);
        ether_announce(worker->ether);
    }
    ether_defend(worker->ether, real);
    ether_ask(worker->ether, real);
    more |= ether_flush(worker->ether, now) > 0;
    if (!unsent)
        routes_quiescent(worker->config.routes, worker->config.self);
    if (stop_requested(worker))
        return false;
    bool busy = packets + mails > 0 || more;
    account(worker, start, busy, packets);
    if (busy)
        idle_busy(&worker->idle);
    else if (idle_turn(&worker->idle))
        sleep_until_work(worker, now, unsent);
    return true;
}

void worker_end(struct worker *worker) {
    mail_flush(worker->mailroom);
    ether_flush(worker->ether, clock_microseconds(worker->config.clock, rte_rdtsc()));
    routes_offline(worker->config.routes, worker->config.self);
    gauges_publish(worker);
}

int worker_run(void *argument) {
    struct worker *worker = argument;
    worker_begin(worker);
    while (worker_turn(worker))
        ;
    worker_end(worker);
    return 0;
}
