/* SPDX-License-Identifier: Apache-2.0 */
#include "control/config/keys.h"

static const char *const idle_words[] = {"sleep", "spin", NULL};
static const char *const congestion_words[] = {"newreno", "cubic", NULL};
static const char *const kind_words[] = {"tap",  "af_packet", "af_xdp", "memif",
                                         "ring", "pci",       NULL};
static const char *const auth_words[] = {"anonymous", "password_file", NULL};
static const char *const level_words[] = {"error", "warning", "info", "debug", NULL};
static const char *const format_words[] = {"text", "json", NULL};

#define WIDTH(type, field) sizeof(((type *)0)->field)

/* A key of a mapping: SECTION.NAME of struct config. */
#define NUMBER(section, field, default_, least, most, unit_, text_)                                \
    {                                                                                              \
        .name = #field, .type = VALUE_NUMBER, .preset = default_, .min = least, .max = most,       \
        .unit = unit_, .text = text_, .offset = offsetof(struct config, section.field),            \
        .width = WIDTH(struct config, section.field)                                               \
    }
#define BOOL(section, field, default_, text_)                                                      \
    {                                                                                              \
        .name = #field, .type = VALUE_BOOL, .preset = default_, .text = text_,                     \
        .offset = offsetof(struct config, section.field)                                           \
    }
#define WORD(section, field, default_, words_, text_)                                              \
    {                                                                                              \
        .name = #field, .type = VALUE_WORD, .preset = default_, .words = words_, .text = text_,    \
        .offset = offsetof(struct config, section.field)                                           \
    }
#define TEXT(section, field, type_, default_, most, text_)                                         \
    {                                                                                              \
        .name = #field, .type = type_, .preset = default_, .max = most, .text = text_,             \
        .offset = offsetof(struct config, section.field)                                           \
    }

/* A key of a list's item. */
#define ITEM_NUMBER(type_, field, default_, least, most, unit_, text_)                             \
    {                                                                                              \
        .name = #field, .type = VALUE_NUMBER, .preset = default_, .min = least, .max = most,       \
        .unit = unit_, .text = text_, .offset = offsetof(type_, field),                            \
        .width = WIDTH(type_, field)                                                               \
    }
#define ITEM_BOOL(type_, field, default_, text_)                                                   \
    {                                                                                              \
        .name = #field, .type = VALUE_BOOL, .preset = default_, .text = text_,                     \
        .offset = offsetof(type_, field)                                                           \
    }
#define ITEM_WORD(type_, field, default_, words_, text_)                                           \
    {                                                                                              \
        .name = #field, .type = VALUE_WORD, .preset = default_, .words = words_, .text = text_,    \
        .offset = offsetof(type_, field)                                                           \
    }
#define ITEM_TEXT(type_, field, value_type, default_, most, text_)                                 \
    {                                                                                              \
        .name = #field, .type = value_type, .preset = default_, .max = most, .text = text_,        \
        .offset = offsetof(type_, field)                                                           \
    }

enum { MIB_MAX = 65536 }; /* an arena reaches 64 GiB */

/* clang-format off */
static const struct key workers_keys[] = {
    NUMBER(workers, count, "1", 1, 30, NULL,
           "Worker threads. Each polls its own queue of every port and owns the connections that arrive there."),
    TEXT(workers, cpus, VALUE_CPUS, "null", 255,
         "CPUs for the workers in turn, such as `2,3` or `2-5`; null leaves the choice to the kernel."),
    WORD(workers, idle, "sleep", idle_words,
         "What a worker with nothing to do does: `sleep` until a packet, a timer or mail (on a kind of port that cannot wake it, which is all but `tap`, it looks for packets every millisecond), or `spin` for the lowest latency on a CPU of its own."),
    BOOL(workers, hugepages, "true",
         "Use hugepages when the machine has some free; without them the broker runs on ordinary memory."),
    NUMBER(workers, packet_memory_mib, "256", 64, MIB_MAX, "MiB",
           "Memory for packet buffers of all workers and what else EAL keeps."),
    NUMBER(workers, memory_mib, "1024", 16, MIB_MAX, "MiB",
           "The most that one worker's connections, sessions and messages may take."),
    NUMBER(workers, partial_memory_mib, "0", 0, MIB_MAX / 2, "MiB",
           "How much of it packets may take of which only a part has come. When it is used up, the connection whose packet has waited longest is closed. 0: a quarter."),
    BOOL(workers, prefault, "false",
         "Touch all of that memory at start, so that no page fault comes later."),
    TEXT(workers, eal, VALUE_TEXT, "null", 1023,
         "Further arguments for DPDK's EAL, separated by blanks."),
};

static const struct key control_keys[] = {
    NUMBER(control, shards, "1", 1, 16, NULL,
           "Control threads that share the client directory, persistent sessions and retained messages."),
    NUMBER(control, memory_mib, "1024", 16, MIB_MAX, "MiB",
           "The most that the sessions, queues and retained messages of one shard may take."),
    TEXT(control, socket, VALUE_PATH, "/run/linemq/ctl.sock", 107,
         "Unix socket on which `ctl` reaches the broker."),
    TEXT(control, socket_group, VALUE_TEXT, "null", 31,
         "Group that may use the socket beside root; null: root only."),
    NUMBER(control, sys_interval, "10", 0, 86400, "s",
           "How often `$SYS` topics are published; 0 switches them off."),
};

static const struct key port_keys[] = {
    ITEM_WORD(struct config_port, kind, NULL, kind_words,
              "How the NIC is opened: `tap` creates a software NIC, `af_packet` and `af_xdp` share one with the kernel, `memif` and `ring` are for tests and load generators, `pci` takes a whole device."),
    ITEM_TEXT(struct config_port, device, VALUE_TEXT, NULL, 107,
              "Interface to create (tap), existing interface (af_packet, af_xdp), socket path (memif), any name (ring), PCI address (pci)."),
    ITEM_TEXT(struct config_port, options, VALUE_TEXT, "null", 1023,
              "Further options of the DPDK driver, as `key=value,...`."),
    ITEM_TEXT(struct config_port, address, VALUE_IPV4, "null", 18,
              "The broker's IPv4 address on this port, with prefix length."),
    ITEM_TEXT(struct config_port, address6, VALUE_IPV6, "null", 49,
              "The broker's IPv6 address on this port, with prefix length."),
    ITEM_TEXT(struct config_port, gateway, VALUE_IPV4_HOST, "null", 15,
              "Router for IPv4. Replies take the way their segments came; this is for those whose way is not known any more."),
    ITEM_TEXT(struct config_port, gateway6, VALUE_IPV6_HOST, "null", 45,
              "The same for IPv6, before any router that advertises itself."),
    ITEM_BOOL(struct config_port, router_advertisements, "true",
              "Take routers, MTU and hop limit of the link from IPv6 router advertisements."),
    ITEM_NUMBER(struct config_port, mtu, "1500", 576, 9216, "bytes",
                "Largest IP packet; IPv6 needs 1280."),
    ITEM_NUMBER(struct config_port, vlan, "0", 0, 4094, NULL,
                "VLAN id of all traffic; 0: untagged."),
    ITEM_NUMBER(struct config_port, queues, "0", 0, 30, NULL,
                "Queues in each direction, which workers share when they are more; 0: as many as "
                "there are workers, if the device can, and 1 for `memif`, whose peer must have as "
                "many."),
    ITEM_NUMBER(struct config_port, queue_size, "1024", 64, 16384, "packets",
                "Descriptors of each queue."),
    ITEM_TEXT(struct config_port, mac, VALUE_MAC, "null", 17,
              "Ethernet address; null: the device's own, or one derived from its name."),
};

static const struct key listener_keys[] = {
    ITEM_NUMBER(struct config_listener, port, NULL, 1, 65535, NULL,
                "TCP port on which MQTT clients are accepted, on every address."),
};

static const struct key tcp_keys[] = {
    NUMBER(tcp, connections, "1000000", 16, 16000000, NULL,
           "Connections that all workers together are made for. Each of several accepts its share and a quarter more, since NICs share unevenly; beyond that it refuses them."),
    NUMBER(tcp, window, "262144", 4096, 1048575, "bytes",
           "Largest receive window of a client. It begins with at most 65535 and grows with what the client sends; beyond that only with clients that use window scale and time stamps."),
    NUMBER(tcp, mss, "1360", 536, 9156, "bytes",
           "Largest segment we ask for and send. 1360 passes the tunnels that cellular networks put in the way; 1460 fills an Ethernet frame."),
    NUMBER(tcp, rto_min_ms, "400", 20, 10000, "ms",
           "Shortest retransmission time-out. 400 ms lies above the 200 ms by which many clients delay their ACKs, and above the jitter of a cellular link that wakes up."),
    NUMBER(tcp, rto_max_ms, "60000", 1000, 120000, "ms",
           "Longest retransmission time-out (RFC 6298 asks for 60 s at least)."),
    NUMBER(tcp, give_up_ms, "120000", 1000, 3600000, "ms",
           "A connection whose data stays unacknowledged for so long is closed (RFC 9293, R2)."),
    NUMBER(tcp, time_wait_ms, "60000", 0, 240000, "ms",
           "How long a record of a connection closed by us is kept (TIME_WAIT)."),
    NUMBER(tcp, fin_wait_ms, "30000", 100, 600000, "ms",
           "How long a client may take to close its side after we closed ours."),
    NUMBER(tcp, keepalive_ms, "7200000", 0, 86400000, "ms",
           "TCP keep-alive for clients that connect without an MQTT keep alive; 0: off."),
    NUMBER(tcp, out_of_order_bytes, "262144", 0, 1048576, "bytes",
           "Data that may wait behind a gap, of one connection."),
    NUMBER(tcp, traces, "1024", 0, 65536, NULL,
           "Connections with trouble whose last events one worker keeps for `ctl client trace`; 0: none."),
    NUMBER(tcp, trace_records, "64", 16, 1024, NULL,
           "Events that are kept of each, 40 bytes an event."),
    NUMBER(tcp, prefix4, "24", 8, 32, "bits",
           "Clients whose IPv4 addresses agree in so many bits share the `prefix_` limits, which each worker keeps by itself. One second's worth may come at once."),
    NUMBER(tcp, prefix6, "56", 16, 64, "bits",
           "The same for IPv6."),
    NUMBER(tcp, prefix_syns, "100000", 0, 10000000, "a second",
           "SYN segments that one prefix may send to one worker; more are dropped. 0: any number, here and below."),
    NUMBER(tcp, prefix_connects, "100000", 0, 10000000, "a second",
           "Connections that one prefix may open on one worker; those beyond wait for their client's next try."),
    NUMBER(tcp, prefix_resets, "10000", 0, 10000000, "a second",
           "RST segments that one worker sends to one prefix."),
    NUMBER(tcp, syns, "500000", 0, 10000000, "a second",
           "SYN segments that one worker answers, from all together."),
    NUMBER(tcp, connects, "0", 0, 10000000, "a second",
           "Connections that one worker opens, for all together."),
    WORD(tcp, congestion, "cubic", congestion_words,
         "Congestion control: `cubic` (RFC 9438), or `newreno` (RFC 5681, 6582)."),
    BOOL(tcp, sack, "true",
         "Selective acknowledgements (RFC 2018) with clients that use time stamps; `rack` and `tail_loss_probe` need them."),
    BOOL(tcp, rack, "true",
         "Find losses by time (RFC 8985) and not by counting segments, so that few segments are enough and reordering is no loss."),
    BOOL(tcp, tail_loss_probe, "true",
         "When no answer comes for two round trips, send the last segment again (RFC 8985) before the retransmission time-out is over."),
    BOOL(tcp, prr, "true",
         "After a loss let data out evenly (RFC 9937), neither in a burst nor after a pause."),
    BOOL(tcp, undo, "true",
         "Give the congestion window back when a retransmission turns out to have been needless, by time stamps (RFC 3522) and D-SACK (RFC 3708)."),
    BOOL(tcp, frto, "false",
         "That for clients without time stamps, too (F-RTO, RFC 5682): for paths that stall but hardly lose; under loss it costs more than it gives."),
    BOOL(tcp, limited_transmit, "true",
         "Let new data out for the first two duplicate ACKs (RFC 3042)."),
};

static const struct key mqtt_keys[] = {
    NUMBER(mqtt, packet_size, "1048576", 128, 268435455, "bytes",
           "Largest control packet of a client; a longer one closes its connection."),
    NUMBER(mqtt, topic_length, "1024", 16, 65535, "bytes",
           "Longest topic name or filter."),
    NUMBER(mqtt, topic_levels, "128", 1, 128, NULL,
           "Levels of a topic name or filter."),
    NUMBER(mqtt, client_id_length, "256", 23, 65535, "bytes",
           "Longest client identifier (every server takes 23)."),
    BOOL(mqtt, allow_empty_client_id, "true",
         "Accept clients without an identifier, which are given one (clean sessions only)."),
    NUMBER(mqtt, subscriptions, "1000", 1, 1000000, NULL,
           "Subscriptions of one client; more are refused in SUBACK."),
    NUMBER(mqtt, filters, "4096", 1, 65535, NULL,
           "Topic filters of one SUBSCRIBE or UNSUBSCRIBE; more close the connection. Of one client's, about 4000 may be on their way into force at a time; SUBACK refuses the rest."),
    {.name = "refuse_subscriptions", .type = VALUE_TEXTS, .preset = "[]", .max = 65535,
     .text = "Topic filters that SUBACK refuses, compared as they are written.",
     .offset = offsetof(struct config, mqtt.refuse_subscriptions),
     .count_offset = offsetof(struct config, mqtt.refuse_subscriptions_count)},
    NUMBER(mqtt, inflight, "20", 1, 65535, NULL,
           "QoS 1 and 2 messages sent to a client and not yet acknowledged."),
    NUMBER(mqtt, queued, "1000", 0, 10000000, NULL,
           "Messages that wait behind those, of one session; more are dropped and counted."),
    NUMBER(mqtt, queued_bytes, "16777216", 1024, 4294967295, "bytes",
           "The size of the messages that wait, of one session."),
    NUMBER(mqtt, send_queue_bytes, "1048576", 4096, 1073741824, "bytes",
           "What may wait for TCP on one connection; above it QoS 0 messages are dropped and counted."),
    NUMBER(mqtt, qos2_received, "65535", 1, 65535, NULL,
           "QoS 2 messages that a client may have sent and not yet released."),
    NUMBER(mqtt, connect_timeout_ms, "10000", 100, 600000, "ms",
           "From a connection's first byte to its whole CONNECT."),
    NUMBER(mqtt, packet_timeout_ms, "60000", 100, 3600000, "ms",
           "How long a packet may stay half received."),
    NUMBER(mqtt, keep_alive_max, "0", 0, 65535, "s",
           "A longer keep alive, or none, is cut to this; 0: any."),
    NUMBER(mqtt, retained_messages, "1000000", 0, 100000000, NULL,
           "Retained messages of one shard; more are refused and counted."),
    NUMBER(mqtt, session_expiry, "259200", 0, 4294967295, "s",
           "How long a disconnected persistent session is kept; 0: for ever."),
};

static const struct key auth_keys[] = {
    ITEM_WORD(struct config_auth, kind, NULL, auth_words,
              "`anonymous` accepts whoever is left; `password_file` decides about clients that give a user name."),
    ITEM_TEXT(struct config_auth, path, VALUE_PATH, "null", 4095,
              "The password file, as mosquitto_passwd writes it (`$7$` and `$6$` hashes)."),
};

static const struct key log_keys[] = {
    WORD(log, level, "info", level_words,
         "Least severe messages that are written; `ctl log level` changes it while running."),
    WORD(log, format, "text", format_words,
         "Lines on stderr as text or as JSON."),
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MAPPING(name_, text_)                                                                      \
    { .name = #name_, .text = text_, .keys = name_##_keys, .keys_count = COUNT(name_##_keys) }
#define LIST(name_, keys_, type_, field, most, preset_, text_)                                     \
    {                                                                                              \
        .name = #name_, .text = text_, .keys = keys_, .keys_count = COUNT(keys_),                  \
        .preset = preset_, .items_offset = offsetof(struct config, field),                         \
        .count_offset = offsetof(struct config, field##_count), .item_size = sizeof(type_),        \
        .items_max = most                                                                          \
    }

const struct section config_sections[] = {
    MAPPING(workers, "The threads that carry packets and MQTT."),
    LIST(ports, port_keys, struct config_port, ports, 16,
         "[{kind: tap, device: linemq0, address: 10.88.0.2/24, address6: 'fd88::2/64'}]",
         "The NICs; at least one."),
    LIST(listeners, listener_keys, struct config_listener, listeners, 16, "[{port: 1883}]",
         "Where clients connect; at least one."),
    LIST(auth, auth_keys, struct config_auth, auth, 16, "[{kind: anonymous}]",
         "How clients log in: links of a chain, asked in order; the first that says yes or no "
         "decides, and whoever none knows is refused."),
    MAPPING(mqtt, "Limits of the protocol, each of them a named reason when it is met."),
    MAPPING(tcp, "Our TCP. The defaults suit devices on lossy cellular links."),
    MAPPING(control, "The threads beside the workers, and administration."),
    MAPPING(log, "What is written to stderr."),
};

const unsigned config_sections_count = COUNT(config_sections);

#define FITS(keys) _Static_assert(COUNT(keys) <= CONFIG_KEYS_MAX, "see CONFIG_KEYS_MAX")
FITS(workers_keys);
FITS(port_keys);
FITS(listener_keys);
FITS(auth_keys);
FITS(mqtt_keys);
FITS(tcp_keys);
FITS(control_keys);
FITS(log_keys);
