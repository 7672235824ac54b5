/* SPDX-License-Identifier: Apache-2.0 */
#include "control/supervisor.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "control/admin/admin.h"
#include "control/log/log.h"
#include "control/registry.h"
#include "control/sessions/shard.h"
#include "control/starting.h"
#include "dataplane/worker/clock.h"
#include "dataplane/worker/handover.h"
#include "dataplane/worker/standstill.h"
#include "drivers/eal.h"
#include "drivers/packet_pool.h"

enum {
    MAIL_SLOTS = 1024,
    HANDOVER_SLOTS = 1024,
    GOODBYE_MS = 1200,       /* for the workers to close their clients */
    FANOUT_SLICE = 256,      /* deliveries of one message in one turn */
    TRIE_VISITS = 4096,      /* nodes visited for one topic */
    LINK_PATIENCE = 5,       /* seconds after the start */
    PARTIAL_SHARE = 4,       /* of a worker's memory, for packets that have come in part */
    RANGE_FOR_MEMORY = 2,    /* address range for each byte of memory, against fragmentation */
    TIME_WAITS_LEAST = 1024, /* records beside one for every fourth connection */
};

/* Where control.socket is by default. */
static const char own_directory[] = "/run/linemq";

struct supervisor {
    const struct config *config;
    struct registry registry;
    struct clock clock;
    struct standstill standstill;
    uint64_t standstills, stood_still; /* that have been logged; microseconds */
    struct handover *handover;
    struct rte_mempool *mempool;
    struct admin *admin;
    struct port ports[ETHER_PORTS_MAX];
    cpu_set_t affinity; /* of the process as it was started */
    unsigned shards_started, workers_started;
    unsigned seconds; /* up to LINK_PATIENCE */
    bool eal_started, admin_started, stuck_told;
    uint64_t stuck; /* COUNTER_ETHER_TX_STUCK when looked at last */
    uint8_t tcp_secret[16], flow_key[16];
};

static uint64_t wall_clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* An instance that was killed leaves the directory of its socket, which is then not of our making.
 * The one that is ours alone is removed all the same; with something in it, it stays. */
static void directory_remove(const struct config *config) {
    const char *socket = config->control.socket;
    if (strncmp(socket, own_directory, strlen(own_directory)) == 0 &&
        socket[strlen(own_directory)] == '/')
        rmdir(own_directory);
}

/* The start ends by a signal while the main thread is inside of DPDK. */
static void leave(void *argument) {
    struct supervisor *supervisor = argument;
    log_info("main", "stopped while starting");
    if (supervisor->admin != NULL)
        admin_leave(supervisor->admin);
    eal_leave();
    directory_remove(supervisor->config);
}

/* Control threads run beside the workers, not on their CPUs, if there are others. They inherit this
 * from the main thread, which rte_eal_init has pinned. */
static void leave_worker_cpus(struct supervisor *supervisor) {
    cpu_set_t free_cpus = supervisor->affinity;
    unsigned lcore;
    RTE_LCORE_FOREACH_WORKER(lcore) {
        cpu_set_t cpus = rte_lcore_cpuset(lcore);
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &cpus))
                CPU_CLR(cpu, &free_cpus);
    }
    if (CPU_COUNT(&free_cpus) == 0)
        free_cpus = supervisor->affinity;
    pthread_setaffinity_np(pthread_self(), sizeof free_cpus, &free_cpus);
}

static bool keys_make(struct supervisor *supervisor) {
    uint8_t topic_key[16];
    if (RAND_bytes(supervisor->tcp_secret, sizeof supervisor->tcp_secret) != 1 ||
        RAND_bytes(supervisor->flow_key, sizeof supervisor->flow_key) != 1 ||
        RAND_bytes(supervisor->registry.shard_key, sizeof supervisor->registry.shard_key) != 1 ||
        RAND_bytes(topic_key, sizeof topic_key) != 1)
        return false;
    topic_hash_set_key(topic_key);
    return true;
}

static bool packet_memory_open(struct supervisor *supervisor, char *error, unsigned error_size) {
    const struct config *config = supervisor->config;
    uint64_t bytes = (uint64_t)config->workers.packet_memory_mib << 20;
    unsigned buffers = (unsigned)(bytes / 4 * 3 / PACKET_BUFFER_COST);
    supervisor->mempool = packet_pool_create(buffers);
    if (supervisor->mempool == NULL) {
        snprintf(error, error_size,
                 "no memory for %u packet buffers: workers.packet_memory_mib is %u; %s", buffers,
                 config->workers.packet_memory_mib, rte_strerror(rte_errno));
        return false;
    }
    return true;
}

static bool ports_open(struct supervisor *supervisor, char *error, unsigned error_size) {
    const struct config *config = supervisor->config;
    for (unsigned i = 0; i < config->ports_count; i++) {
        if (!starting_go_on() ||
            port_open(&supervisor->ports[i], &config->ports[i], i, config->workers.count,
                      supervisor->mempool, error, error_size) < 0)
            return false;
        supervisor->registry.ports_count = i + 1;
        if (supervisor->ports[i].queues < config->workers.count)
            log_info("main", "port %s: %u workers share %u queues", config->ports[i].device,
                     config->workers.count, supervisor->ports[i].queues);
        port_link_look(&supervisor->ports[i]);
    }
    return true;
}

static void tcp_configure(const struct supervisor *supervisor, struct tcp_config *tcp) {
    const struct config *config = supervisor->config;
    *tcp = (struct tcp_config){
        .connections_max = config_worker_connections(config),
        .window = config->tcp.window,
        .mss = config->tcp.mss,
        .rto_min_ms = config->tcp.rto_min_ms,
        .rto_max_ms = config->tcp.rto_max_ms,
        .rto_initial_ms = 1000,
        .give_up_ms = config->tcp.give_up_ms,
        .time_wait_ms = config->tcp.time_wait_ms,
        .fin_wait_ms = config->tcp.fin_wait_ms,
        .time_wait_max = config_worker_connections(config) / 4 + TIME_WAITS_LEAST,
        .out_of_order_max = config->tcp.out_of_order_bytes,
        .keepalive_ms = config->tcp.keepalive_ms,
        .admission =
            {.prefix = {[ADMISSION_SYN] = config->tcp.prefix_syns,
                        [ADMISSION_CONNECT] = config->tcp.prefix_connects,
                        [ADMISSION_RESET] = config->tcp.prefix_resets},
             .worker =
                 {[ADMISSION_SYN] = config->tcp.syns, [ADMISSION_CONNECT] = config->tcp.connects},
             .bits4 = (uint8_t)config->tcp.prefix4,
             .bits6 = (uint8_t)config->tcp.prefix6},
        .congestion = config->tcp.congestion == CONGESTION_CUBIC ? TCP_CUBIC : TCP_NEWRENO,
        .sack = config->tcp.sack,
        .rack = config->tcp.rack,
        .tail_loss_probe = config->tcp.tail_loss_probe,
        .prr = config->tcp.prr,
        .undo = config->tcp.undo,
        .frto = config->tcp.frto,
        .limited_transmit = config->tcp.limited_transmit,
        .traces = config->tcp.traces,
        .trace_records = config->tcp.trace_records,
        .app_size = MQTT_CONNECTION_SIZE,
    };
    memcpy(tcp->secret, supervisor->tcp_secret, sizeof tcp->secret);
    memcpy(tcp->flow_key, supervisor->flow_key, sizeof tcp->flow_key);
    for (unsigned i = 0; i < config->listeners_count; i++)
        tcp->ports[i] = config->listeners[i].port;
}

static void mqtt_configure(const struct supervisor *supervisor, unsigned self,
                           struct mqtt_config *mqtt) {
    const struct config *config = supervisor->config;
    uint64_t memory = (uint64_t)config->workers.memory_mib << 20;
    uint64_t partial = (uint64_t)config->workers.partial_memory_mib << 20;
    *mqtt = (struct mqtt_config){
        .limits = {.packet_size = config->mqtt.packet_size,
                   .topic_length = config->mqtt.topic_length,
                   .topic_levels = config->mqtt.topic_levels,
                   .client_id_length = config->mqtt.client_id_length,
                   .subscriptions = config->mqtt.subscriptions,
                   .filters = config->mqtt.filters,
                   .inflight = config->mqtt.inflight,
                   .queued = config->mqtt.queued,
                   .queued_bytes = config->mqtt.queued_bytes,
                   .send_queue_bytes = config->mqtt.send_queue_bytes,
                   .qos2_received = config->mqtt.qos2_received,
                   .partial_bytes = partial > 0 ? partial : memory / PARTIAL_SHARE,
                   .connect_timeout_ms = config->mqtt.connect_timeout_ms,
                   .packet_timeout_ms = config->mqtt.packet_timeout_ms,
                   .keep_alive_max = (uint16_t)config->mqtt.keep_alive_max},
        .self = self,
        .first_shard = supervisor->registry.first_shard,
        .shards = supervisor->registry.shards,
        .refuse_subscriptions = config->mqtt.refuse_subscriptions,
        .refuse_subscriptions_count = config->mqtt.refuse_subscriptions_count,
    };
    memcpy(mqtt->shard_key, supervisor->registry.shard_key, sizeof mqtt->shard_key);
}

static bool workers_create(struct supervisor *supervisor, char *error, unsigned error_size) {
    const struct config *config = supervisor->config;
    struct registry *registry = &supervisor->registry;
    size_t memory = (size_t)config->workers.memory_mib << 20;
    for (unsigned i = 0; i < config->workers.count; i++) {
        struct worker_config worker = {
            .self = i,
            .workers = config->workers.count,
            .mailboxes = registry->mailboxes,
            .routes = registry->routes,
            .handover = supervisor->handover,
            .ports = supervisor->ports,
            .ports_count = registry->ports_count,
            .mempool = supervisor->mempool,
            .clock = &supervisor->clock,
            .standstill = &supervisor->standstill,
            .router = {.topic_levels = config->mqtt.topic_levels,
                       .visits = TRIE_VISITS,
                       .fanout_slice = FANOUT_SLICE,
                       .retained_batch = MAIL_RETAINED_BATCH},
            .memory = memory,
            .memory_reserve = memory * RANGE_FOR_MEMORY,
            .prefault = config->workers.prefault,
            .go_on = starting_go_on,
            .sleep = config->workers.idle == IDLE_SLEEP,
        };
        tcp_configure(supervisor, &worker.tcp);
        mqtt_configure(supervisor, i, &worker.mqtt);
        registry->worker[i] = starting_go_on() ? worker_create(&worker, error, error_size) : NULL;
        if (registry->worker[i] == NULL)
            return false;
    }
    return true;
}

static bool shards_start(struct supervisor *supervisor, char *error, unsigned error_size) {
    struct registry *registry = &supervisor->registry;
    for (unsigned i = 0; i < registry->shards; i++) {
        registry->shard[i] = shard_create(registry, i, error, error_size);
        if (registry->shard[i] == NULL)
            return false;
    }
    for (; supervisor->shards_started < registry->shards; supervisor->shards_started++)
        if (shard_start(registry->shard[supervisor->shards_started]) < 0) {
            snprintf(error, error_size, "no thread for control shard %u",
                     supervisor->shards_started);
            return false;
        }
    return true;
}

static bool workers_start(struct supervisor *supervisor, char *error, unsigned error_size) {
    unsigned lcore;
    RTE_LCORE_FOREACH_WORKER(lcore) {
        unsigned i = supervisor->workers_started;
        if (i == supervisor->registry.workers)
            break;
        if (rte_eal_remote_launch(worker_run, supervisor->registry.worker[i], lcore) != 0)
            break;
        supervisor->workers_started++;
    }
    if (supervisor->workers_started == supervisor->registry.workers)
        return true;
    snprintf(error, error_size, "worker %u could not be started on its lcore",
             supervisor->workers_started);
    return false;
}

static bool parts_start(struct supervisor *supervisor, char *error, unsigned error_size) {
    const struct config *config = supervisor->config;
    struct registry *registry = &supervisor->registry;
    unsigned threads = registry->admin + 1;
    if (threads > THREADS_MAX) {
        snprintf(error, error_size,
                 "workers.count and control.shards make %u threads; at most %u are possible",
                 threads, THREADS_MAX);
        return false;
    }
    registry->mailboxes = mailboxes_create(threads, MAIL_SLOTS);
    registry->routes = routes_create(threads);
    if (registry->mailboxes == NULL || registry->routes == NULL || !keys_make(supervisor)) {
        snprintf(error, error_size, "no memory for mailboxes and routes");
        return false;
    }
    /* First the socket: a second instance is told so before it touches a port. */
    supervisor->admin = admin_create(registry, error, error_size);
    if (supervisor->admin == NULL)
        return false;
    if (!starting_go_on() || eal_start(config, error, error_size) < 0)
        return false;
    supervisor->eal_started = true;
    if (config->workers.hugepages && !eal_hugepages())
        log_info("main",
                 "packet buffers are in ordinary memory: %u MiB of hugepages are free, and "
                 "workers.packet_memory_mib is %u",
                 eal_hugepages_mib(), config->workers.packet_memory_mib);
    leave_worker_cpus(supervisor);
    clock_init(&supervisor->clock);
    clock_set_wall(&supervisor->clock, wall_clock_now());
    supervisor->handover = handover_create(registry->workers, HANDOVER_SLOTS);
    if (supervisor->handover == NULL) {
        snprintf(error, error_size, "no memory for the rings between workers");
        return false;
    }
    if (!starting_go_on() || !packet_memory_open(supervisor, error, error_size) ||
        !ports_open(supervisor, error, error_size) ||
        !workers_create(supervisor, error, error_size) ||
        !shards_start(supervisor, error, error_size) || !starting_go_on())
        return false;
    if (admin_start(supervisor->admin) < 0) {
        snprintf(error, error_size, "no thread for administration");
        return false;
    }
    supervisor->admin_started = true;
    return workers_start(supervisor, error, error_size);
}

static void dpdk_line(const char *line) {
    log_debug("dpdk", "%s", line);
}

struct supervisor *supervisor_start(const struct config *config, char *error, unsigned error_size) {
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (supervisor == NULL) {
        snprintf(error, error_size, "no memory");
        return NULL;
    }
    supervisor->config = config;
    supervisor->registry = (struct registry){
        .config = config,
        .ports = supervisor->ports,
        .workers = config->workers.count,
        .shards = config->control.shards,
        .first_shard = config->workers.count,
        .admin = config->workers.count + config->control.shards,
        .started_at = wall_clock_now(),
        .version = LINEMQ_VERSION,
    };
    pthread_getaffinity_np(pthread_self(), sizeof supervisor->affinity, &supervisor->affinity);
    bool started = false;
    eal_log_to(dpdk_line);
    if (eal_check(config, error, error_size) == 0) {
        if (!starting_begin(leave, supervisor))
            snprintf(error, error_size, "no thread to wait for signals");
        else
            started = parts_start(supervisor, error, error_size);
    }
    bool stopped = !starting_end();
    if (!started || stopped) {
        if (stopped)
            error[0] = '\0';
        supervisor_stop(supervisor);
        return NULL;
    }
    log_info("main", "running: %u workers, %u control shards, ctl socket %s",
             supervisor->registry.workers, supervisor->registry.shards, config->control.socket);
    return supervisor;
}

/* Waits until all workers have left their loops; false when `milliseconds` were not enough. */
static bool workers_wait(const struct supervisor *supervisor, unsigned milliseconds) {
    const struct timespec step = {.tv_nsec = 2000000};
    for (unsigned waited = 0;; waited += 2) {
        bool running = false;
        unsigned lcore;
        if (supervisor->workers_started > 0)
            RTE_LCORE_FOREACH_WORKER(lcore)
        running = running || rte_eal_get_lcore_state(lcore) == RUNNING;
        if (!running || waited >= milliseconds)
            return !running;
        nanosleep(&step, NULL);
    }
}

static void workers_stop(struct supervisor *supervisor) {
    for (unsigned i = 0; i < supervisor->workers_started; i++)
        worker_stop(supervisor->registry.worker[i], false);
    if (workers_wait(supervisor, GOODBYE_MS))
        return;
    log_warning("main", "some clients did not close in time");
    for (unsigned i = 0; i < supervisor->workers_started; i++)
        worker_stop(supervisor->registry.worker[i], true);
    rte_eal_mp_wait_lcore();
}

void supervisor_stop(struct supervisor *supervisor) {
    struct registry *registry = &supervisor->registry;
    workers_stop(supervisor);
    if (supervisor->admin_started)
        admin_stop(supervisor->admin);
    for (unsigned i = 0; i < supervisor->shards_started; i++)
        shard_stop(registry->shard[i]);
    for (unsigned i = 0; i < registry->shards; i++)
        if (registry->shard[i] != NULL)
            shard_destroy(registry->shard[i]);
    if (supervisor->admin != NULL)
        admin_destroy(supervisor->admin);
    for (unsigned i = 0; i < registry->workers; i++)
        worker_destroy(registry->worker[i]);
    for (unsigned i = registry->ports_count; i-- > 0;)
        port_close(&supervisor->ports[i]);
    handover_destroy(supervisor->handover);
    rte_mempool_free(supervisor->mempool);
    if (supervisor->eal_started)
        eal_stop();
    if (registry->routes != NULL)
        routes_destroy(registry->routes);
    if (registry->mailboxes != NULL)
        mailboxes_destroy(registry->mailboxes);
    if (supervisor->admin != NULL)
        directory_remove(registry->config);
    free(supervisor);
}

static void links_look(struct supervisor *supervisor) {
    for (unsigned i = 0; i < supervisor->registry.ports_count; i++) {
        struct port *port = &supervisor->ports[i];
        uint32_t mbit;
        bool was_up = port_link(port, &mbit);
        bool up = port_link_look(port);
        if (up == was_up)
            continue;
        if (up) {
            log_info("main", "port %s: link up", port->config->device);
            worker_announce(supervisor->registry.worker[0]);
        } else {
            log_warning("main", "port %s: link down", port->config->device);
        }
    }
}

/* A NIC takes some seconds to agree with its neighbour; then a missing link is worth a word. */
static void links_miss(struct supervisor *supervisor) {
    if (supervisor->seconds == LINK_PATIENCE || ++supervisor->seconds < LINK_PATIENCE)
        return;
    for (unsigned i = 0; i < supervisor->registry.ports_count; i++) {
        uint32_t mbit;
        if (!port_link(&supervisor->ports[i], &mbit))
            log_warning("main", "port %s: no link", supervisor->ports[i].config->device);
    }
}

/* Clients whose frames no port takes hear nothing. Without a link that is no news. */
static void stuck_look(struct supervisor *supervisor) {
    uint64_t stuck = registry_counter(&supervisor->registry, COUNTER_ETHER_TX_STUCK);
    bool up = true;
    for (unsigned i = 0; i < supervisor->registry.ports_count; i++) {
        uint32_t mbit;
        up = up && port_link(&supervisor->ports[i], &mbit);
    }
    if (up && stuck > supervisor->stuck && !supervisor->stuck_told) {
        log_warning("main", "a port takes no frames of some worker (ether.tx_stuck); its peer does "
                            "not read, or has fewer queues than ports.queues says");
        supervisor->stuck_told = true;
    }
    supervisor->stuck = stuck;
}

static void standstills_look(struct supervisor *supervisor) {
    uint64_t times = standstill_times(&supervisor->standstill);
    if (times == supervisor->standstills)
        return;
    uint64_t total = standstill_total(&supervisor->standstill);
    log_warning("main",
                "all workers stood still for about %" PRId64 " s (process stopped, or machine "
                "suspended?): time-outs of clients do not count that",
                ((int64_t)(total - supervisor->stood_still) + STANDSTILL_LEFT_US / 2) / 1000000);
    supervisor->standstills = times;
    supervisor->stood_still = total;
}

void supervisor_second(struct supervisor *supervisor) {
    standstills_look(supervisor);
    clock_set_wall(&supervisor->clock, wall_clock_now());
    links_look(supervisor);
    links_miss(supervisor);
    stuck_look(supervisor);
}

void supervisor_reload(struct supervisor *supervisor) {
    for (unsigned i = 0; i < supervisor->registry.shards; i++)
        shard_reload(supervisor->registry.shard[i]);
}
