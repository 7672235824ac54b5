/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: one YAML file, read (libyaml) along one table of keys that also prints the
 * reference page and the defaults. A struct config is immutable once loaded.
 *
 * Thread: loaded by the main thread before any other starts; then read by all.
 */
#ifndef LINEMQ_CONTROL_CONFIG_CONFIG_H
#define LINEMQ_CONTROL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum config_port_kind {
    PORT_TAP,
    PORT_AF_PACKET,
    PORT_AF_XDP,
    PORT_MEMIF,
    PORT_RING,
    PORT_PCI,
};

/* One NIC port (drivers/). */
struct config_port {
    enum config_port_kind kind;
    const char *device;   /* tap: interface to create; af_*: existing interface; memif: socket path;
                           * pci: address; ring: a name */
    const char *options;  /* further options of the DPDK driver, `key=value,...`, or NULL */
    const char *address;  /* IPv4 with prefix length, "10.88.0.2/24", or NULL */
    const char *address6; /* IPv6 with prefix length, or NULL */
    const char *gateway, *gateway6; /* IPv4, IPv6, or NULL */
    bool router_advertisements;
    uint16_t mtu;
    uint16_t vlan;   /* 0 = untagged only */
    uint16_t queues; /* 0 = as many as suit the kind (port_queues) */
    uint16_t queue_size;
    const char *mac; /* or NULL: the device's, or derived from its name */
};

struct config_listener {
    uint16_t port; /* TCP */
};

enum config_auth_kind { AUTH_ANONYMOUS, AUTH_PASSWORD_FILE };

struct config_auth {
    enum config_auth_kind kind;
    const char *path;  /* password_file */
    const char *place; /* where it is given, for messages: "FILE:LINE: auth[0].path" */
};

enum config_congestion { CONGESTION_NEWRENO, CONGESTION_CUBIC };
enum config_idle { IDLE_SLEEP, IDLE_SPIN };
enum config_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum config_log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct config {
    const char *path; /* of the file, for messages */
    struct {
        unsigned count;   /* number of worker threads */
        const char *cpus; /* "2,3" or "2-5": one CPU a worker, in turn if fewer; NULL = any */
        enum config_idle idle;
        const char *eal;            /* further EAL arguments, separated by blanks, or NULL */
        bool hugepages;             /* use them when there are some */
        unsigned packet_memory_mib; /* packet buffers and what else EAL keeps */
        unsigned
            memory_mib; /* the most that one worker's connections, sessions, messages may take */
        unsigned partial_memory_mib; /* of that, for packets come in part; 0 = a quarter */
        bool prefault;               /* touch that memory at start */
    } workers;
    struct {
        unsigned shards;
        unsigned memory_mib;      /* for sessions, queues and retained messages of one shard */
        const char *socket;       /* Unix socket of `ctl` */
        const char *socket_group; /* group that may use it, or NULL: root only */
        unsigned sys_interval;    /* seconds between $SYS updates, 0 = none */
    } control;
    struct config_port *ports;
    unsigned ports_count;
    struct config_listener *listeners;
    unsigned listeners_count;
    struct {
        uint32_t connections; /* of all workers; see config_worker_connections */
        uint32_t window;
        uint16_t mss;
        uint32_t rto_min_ms, rto_max_ms, give_up_ms, time_wait_ms, fin_wait_ms, keepalive_ms;
        uint32_t out_of_order_bytes;
        uint32_t traces, trace_records;                       /* of one worker, of one trace */
        uint32_t prefix_syns, prefix_connects, prefix_resets; /* a second; 0 = any */
        uint32_t syns, connects;                              /* a second; 0 = any */
        uint16_t prefix4, prefix6;                            /* bits */
        enum config_congestion congestion;
        bool sack, rack, tail_loss_probe, prr, undo, frto, limited_transmit;
    } tcp;
    struct {
        uint32_t packet_size, topic_length, topic_levels, client_id_length, subscriptions, filters;
        uint32_t inflight, queued, queued_bytes, send_queue_bytes, qos2_received;
        uint32_t connect_timeout_ms, packet_timeout_ms;
        uint32_t keep_alive_max;
        uint32_t retained_messages; /* of one shard */
        uint32_t
            session_expiry; /* seconds a disconnected persistent session is kept, 0 = for ever */
        const char **refuse_subscriptions; /* filters answered with 0x80 in SUBACK */
        unsigned refuse_subscriptions_count;
        bool allow_empty_client_id;
    } mqtt;
    struct config_auth *auth; /* the chain, in order; the first that says yes or no decides */
    unsigned auth_count;
    struct {
        enum config_log_level level;
        enum config_log_format format;
    } log;
};

/*
 * Loads `path` (NULL: all defaults), replaces single values by `overrides`, in their order, and
 * checks the whole. An override is `section.key=VALUE`, or `section[INDEX].key=VALUE` for an entry
 * of a list that is there; VALUE as it would stand in the file.
 *
 * On any mistake prints to `errors` one line each, `FILE:LINE: key.path: what is wrong; what would
 * be right` (`--set OVERRIDE: ...` for those of an override), and returns NULL: nothing is half
 * configured. Unknown keys are mistakes. The result is freed by config_free.
 */
struct config *config_load(const char *path, const char *const *overrides, unsigned overrides_count,
                           FILE *errors);
void config_free(struct config *config);

/*
 * The most connections that one worker has. NIC and hash do not share them out evenly: with several
 * workers each may have a quarter more than its share, and some more where few make up a share.
 */
uint32_t config_worker_connections(const struct config *config);

/* Prints the configuration in force, defaults included, as YAML. */
void config_print(const struct config *config, FILE *out);

/* Prints the reference of all keys (Markdown): type, default, range, meaning. */
void config_print_reference(FILE *out);

#endif
