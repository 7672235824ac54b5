/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/columns.h"

#include "control/admin/client_tcp.h"

#define END                                                                                        \
    { .key = NULL }

const struct column columns_status[] = {
    {"version", "Version", COLUMN_TEXT, "Of the broker.", NULL},
    {"pid", "Process", COLUMN_PORT, "Its process number.", NULL},
    {"config", "Configuration", COLUMN_TEXT, "The file it was started with.", NULL},
    {"started", "Started", COLUMN_TEXT, "When (UTC).", NULL},
    {"uptime_seconds", "Up for", COLUMN_SECONDS, "How long it has been running.", NULL},
    {"clients.connected", "Clients connected", COLUMN_NUMBER, "Clients with a connection.", NULL},
    {"clients.known", "Clients known", COLUMN_NUMBER,
     "Connected ones and those with a persistent session.", NULL},
    {"clients.persistent", "Persistent sessions", COLUMN_NUMBER,
     "Sessions that outlive their connection.", NULL},
    {"clients.authenticating", "Logging in", COLUMN_NUMBER, "CONNECTs that wait for their verdict.",
     NULL},
    {"connections", "TCP connections", COLUMN_NUMBER, "With and without a client.", NULL},
    {"subscriptions", "Subscriptions", COLUMN_NUMBER, "Of all clients.", NULL},
    {"retained.messages", "Retained messages", COLUMN_NUMBER, "Stored.", NULL},
    {"retained.bytes", "Retained bytes", COLUMN_BYTES, "What they take.", NULL},
    {"sessions.queued", "Queued messages", COLUMN_NUMBER,
     "Waiting in persistent sessions, not sent yet.", NULL},
    {"sessions.inflight", "In flight", COLUMN_NUMBER,
     "Sent to persistent sessions, not acknowledged yet.", NULL},
    {"messages.in", "Messages in", COLUMN_NUMBER, "PUBLISH packets from clients, since the start.",
     NULL},
    {"messages.in_per_second", "    per second", COLUMN_RATE, "Over the last second or two.", NULL},
    {"messages.out", "Messages out", COLUMN_NUMBER, "PUBLISH packets to clients, since the start.",
     NULL},
    {"messages.out_per_second", "    per second", COLUMN_RATE, "Over the last second or two.",
     NULL},
    {"drops.total", "Drops", COLUMN_NUMBER, "Sum of all drop counters; `ctl drops` names them.",
     NULL},
    {"drops.per_second", "    per second", COLUMN_RATE, "Over the last second or two.", NULL},
    {"workers.count", "Workers", COLUMN_NUMBER, "Threads that run the network and MQTT.", NULL},
    {"workers.busy_percent", "    busy", COLUMN_PERCENT,
     "Their time spent on work, over the last second or two.", NULL},
    {"memory.resident", "Memory resident", COLUMN_BYTES, "Of the process.", NULL},
    {"memory.arenas_used", "Arenas used", COLUMN_BYTES,
     "By connections, sessions and messages, of all threads.", NULL},
    {"memory.arenas_limit", "Arenas limit", COLUMN_BYTES, "The most they may take.", NULL},
    END};

const struct column columns_version[] = {
    {"ctl", "ctl", COLUMN_TEXT, "Version of this program.", NULL},
    {"broker", "broker", COLUMN_TEXT, "Version of the broker; null: not reachable.", NULL},
    END};

#define CLIENT_COLUMNS_HEAD                                                                        \
    {"client", "CLIENT", COLUMN_TEXT, "Client identifier.", NULL},                                 \
        {"state", "STATE", COLUMN_TEXT, "connected, or offline (a persistent session).", NULL}, {  \
        "seconds", "FOR", COLUMN_SECONDS, "How long in this state.", NULL                          \
    }

const struct column columns_client_list[] = {
    CLIENT_COLUMNS_HEAD,
    {"since", NULL, COLUMN_TEXT, "When that began (UTC).", NULL},
    {"session", "SESSION", COLUMN_TEXT, "clean, or persistent.", NULL},
    {"address", "ADDRESS", COLUMN_TEXT, "Of the client; null when offline.", NULL},
    {"port", "PORT", COLUMN_PORT, "Of the client.", NULL},
    {"local_port", NULL, COLUMN_PORT, "The broker's port that it uses.", NULL},
    {"user", "USER", COLUMN_TEXT, "User name it logged in with.", NULL},
    {"worker", "WORKER", COLUMN_NUMBER, "That holds its connection.", NULL},
    {"keep_alive", "KEEP", COLUMN_NUMBER, "Keep alive time, seconds.", NULL},
    {"protocol", NULL, COLUMN_TEXT, "3.1 or 3.1.1.", NULL},
    {"subscriptions", "SUBS", COLUMN_NUMBER,
     "Subscriptions (of a clean session: see `ctl client show`).", NULL},
    {"inflight", "INFLIGHT", COLUMN_NUMBER, "Sent and not acknowledged (persistent sessions).",
     NULL},
    {"queued", "QUEUED", COLUMN_NUMBER, "Waiting to be sent (persistent sessions).", NULL},
    {"dropped", "DROPPED", COLUMN_NUMBER, "Not queued, the queue was full (persistent sessions).",
     NULL},
    END};

static const struct column client_drops[] = {
    {"name", "NAME", COLUMN_TEXT, "Counter, as in `ctl drops`.", NULL},
    {"count", "COUNT", COLUMN_NUMBER, "Of this connection.", NULL},
    {"ago_us", "AGO", COLUMN_MICROSECONDS, "Since the last one.", NULL},
    {"text", "WHAT IT MEANS", COLUMN_TEXT, "A sentence.", NULL},
    END};

const struct column columns_client_show[] = {
    {"client", "Client", COLUMN_TEXT, "Client identifier.", NULL},
    {"state", "State", COLUMN_TEXT, "connected, or offline (a persistent session).", NULL},
    {"since", "Since", COLUMN_TEXT, "When that began (UTC).", NULL},
    {"seconds", "For", COLUMN_SECONDS, "How long ago that was.", NULL},
    {"session", "Session", COLUMN_TEXT, "clean, or persistent.", NULL},
    {"user", "User", COLUMN_TEXT, "User name it logged in with.", NULL},
    {"protocol", "Protocol", COLUMN_TEXT, "3.1 or 3.1.1.", NULL},
    {"address", "Address", COLUMN_TEXT, "Of the client.", NULL},
    {"port", "Port", COLUMN_PORT, "Of the client.", NULL},
    {"local_address", "Broker's address", COLUMN_TEXT, "The one that it uses.", NULL},
    {"local_port", "Broker's port", COLUMN_PORT, "The one that it uses.", NULL},
    {"worker", "Worker", COLUMN_NUMBER, "That holds its connection.", NULL},
    {"shard", "Shard", COLUMN_NUMBER, "Control shard that knows it.", NULL},
    {"keep_alive", "Keep alive", COLUMN_SECONDS, "Time, in seconds; 0: none.", NULL},
    {"subscriptions", "Subscriptions", COLUMN_NUMBER, "`ctl sub list --client ID` lists them.",
     NULL},
    {"inflight", "In flight", COLUMN_NUMBER, "Messages sent to it, not acknowledged yet.", NULL},
    {"queued", "Queued", COLUMN_NUMBER, "Messages that wait behind those.", NULL},
    {"qos2_received", "QoS 2 received", COLUMN_NUMBER,
     "Packet identifiers it has not released yet (persistent sessions).", NULL},
    {"dropped", "Dropped", COLUMN_NUMBER, "Messages that it did not get.", NULL},
    {"messages_in", "Messages in", COLUMN_NUMBER, "PUBLISH packets from it.", NULL},
    {"messages_out", "Messages out", COLUMN_NUMBER, "PUBLISH packets to it.", NULL},
    {"bytes_in", "Bytes in", COLUMN_BYTES, "TCP payload from it.", NULL},
    {"bytes_out", "Bytes out", COLUMN_BYTES, "TCP payload to it.", NULL},
    {"tcp", "TCP connection", COLUMN_SECTION, "An object, of a connected client.", NULL},
#define NUMBER(field, key, heading, format, text) {"tcp." key, heading, format, text, NULL},
#define NAME(field, key, heading, name, text)     {"tcp." key, heading, COLUMN_TEXT, text, NULL},
    CLIENT_TCP(NUMBER, NAME)
#undef NUMBER
#undef NAME
        {"tcp.drops", "Last drops of this connection", COLUMN_TABLE,
         "Why segments of it were dropped, the latest first, while its trace is kept.",
         client_drops},
    END};

const struct column columns_client_kick[] = {
    {"client", "Kicked", COLUMN_TEXT, "Client identifier.", NULL}, END};

const struct column columns_client_trace[] = {
    {"connection", "CONN", COLUMN_PORT, "1 for the oldest that is known; they follow one another.",
     NULL},
    {"at_us", "AT", COLUMN_OFFSET, "Since the trace of the connection began.", NULL},
    {"time", NULL, COLUMN_TEXT, "When (UTC).", NULL},
    {"event", "EVENT", COLUMN_TEXT, "begin, segment_in, ack_out, ..., a counter's name, closed.",
     NULL},
    {"detail", "DETAIL", COLUMN_TEXT, "Its numbers; sequence numbers begin with 0.", NULL},
    {"values", NULL, COLUMN_SECTION, "The same as an object.", NULL},
    {"in_flight_bytes", "FLIGHT", COLUMN_NUMBER, "Sent, not acknowledged, as it stood.", NULL},
    {"cwnd_bytes", "CWND", COLUMN_NUMBER, "Congestion window.", NULL},
    {"snd_wnd_bytes", "PEER WND", COLUMN_NUMBER, "What the client accepts.", NULL},
    {"acked_bytes", NULL, COLUMN_NUMBER, "Acknowledged by the client, modulo 2^32.", NULL},
    {"received_bytes", NULL, COLUMN_NUMBER, "Received in order, modulo 2^32.", NULL},
    {"state", "STATE", COLUMN_TEXT, "Of the connection.", NULL},
    {"text", "WHAT IT MEANS", COLUMN_TEXT, "A sentence.", NULL},
    END};

const struct column columns_sub_list[] = {
    {"client", "CLIENT", COLUMN_TEXT, "Client identifier.", NULL},
    {"filter", "FILTER", COLUMN_TEXT, "Topic filter.", NULL},
    {"qos", "QOS", COLUMN_NUMBER, "Granted QoS.", NULL},
    {"session", "SESSION", COLUMN_TEXT, "clean, or persistent.", NULL},
    {"thread", "HELD BY", COLUMN_TEXT, "Thread that holds the subscription.", NULL},
    END};

const struct column columns_topic_match[] = {
    {"client", "CLIENT", COLUMN_TEXT, "Client identifier.", NULL},
    {"filter", "FILTER", COLUMN_TEXT, "Its filter that matches.", NULL},
    {"qos", "QOS", COLUMN_NUMBER, "Granted QoS.", NULL},
    {"session", "SESSION", COLUMN_TEXT, "clean, or persistent.", NULL},
    {"state", "STATE", COLUMN_TEXT, "connected, or offline (then it is queued).", NULL},
    END};

const struct column columns_publish[] = {
    {"topic", "Published", COLUMN_TEXT, "Topic name.", NULL},
    {"bytes", "Payload", COLUMN_BYTES, "Size of the payload.", NULL},
    {"qos", "QoS", COLUMN_NUMBER, "As published.", NULL},
    {"retain", "Retained", COLUMN_FLAG, "Whether RETAIN was set.", NULL},
    END};

const struct column columns_worker_list[] = {
    {"worker", "WORKER", COLUMN_NUMBER, "Its number.", NULL},
    {"busy_percent", "BUSY", COLUMN_PERCENT, "Time spent on work, over the interval.", NULL},
    {"polling_percent", "POLLING", COLUMN_PERCENT, "Time spent polling in vain.", NULL},
    {"sleeping_percent", "SLEEPING", COLUMN_PERCENT, "Time slept.", NULL},
    {"packets_per_second", "PACKETS/S", COLUMN_RATE, "Frames handled.", NULL},
    {"cycles_per_packet", "CYCLES/PKT", COLUMN_RATE, "Busy cycles for one frame.", NULL},
    {"turns_per_second", "TURNS/S", COLUMN_RATE, "Turns of its loop.", NULL},
    {"longest_turn_us", "LONGEST TURN", COLUMN_MICROSECONDS,
     "Of the last 10 to 20 s; preempted turns count apart.", NULL},
    {"longest_turn_ever_us", NULL, COLUMN_MICROSECONDS, "The same since the start.", NULL},
    {"preempted_turns", "PREEMPTED", COLUMN_NUMBER,
     "Turns in which the kernel ran something else on the CPU.", NULL},
    {"longest_preempted_turn_us", NULL, COLUMN_MICROSECONDS,
     "The longest of those, with what else ran.", NULL},
    {"connections", "CONNECTIONS", COLUMN_NUMBER, "TCP connections.", NULL},
    {"connected", "CLIENTS", COLUMN_NUMBER, "Those with a client.", NULL},
    {"clean_sessions", NULL, COLUMN_NUMBER, "Clean sessions.", NULL},
    {"subscriptions", "SUBS", COLUMN_NUMBER, "Of its clean sessions.", NULL},
    {"mail_waiting", "MAIL WAITING", COLUMN_NUMBER, "Mails that no ring had room for yet.", NULL},
    {"memory_used", "MEMORY", COLUMN_BYTES, "Used of its arena.", NULL},
    {"pressure", "PRESSURE", COLUMN_NUMBER, "Short memory: 1 refuses, 2 sheds, 3 holds.", NULL},
    {"packets", "PACKETS", COLUMN_NUMBER, "Frames handled since the start.", NULL},
    {"capture_missed", "CAPTURE MISSED", COLUMN_NUMBER,
     "Frames that `ctl capture` missed since the start.", NULL},
    {"turns", NULL, COLUMN_NUMBER, "Turns since the start.", NULL},
    {"sleeps", NULL, COLUMN_NUMBER, "Times it slept since the start.", NULL},
    {"busy_cycles", NULL, COLUMN_NUMBER, "TSC cycles spent on work since the start.", NULL},
    {"idle_cycles", NULL, COLUMN_NUMBER, "Likewise polling in vain.", NULL},
    {"sleep_cycles", NULL, COLUMN_NUMBER, "Likewise asleep.", NULL},
    {"cycles_per_us", NULL, COLUMN_NUMBER, "Speed of the TSC.", NULL},
    {"interval_ms", NULL, COLUMN_NUMBER, "What the shares and rates were measured over.", NULL},
    END};

const struct column columns_port_list[] = {
    {"port", "PORT", COLUMN_NUMBER, "Its number.", NULL},
    {"kind", "KIND", COLUMN_TEXT, "As configured: tap, pci, ...", NULL},
    {"device", "DEVICE", COLUMN_TEXT, "As configured.", NULL},
    {"driver", NULL, COLUMN_TEXT, "DPDK's driver.", NULL},
    {"link", "LINK", COLUMN_TEXT, "up or down.", NULL},
    {"speed_mbit", "MBIT/S", COLUMN_NUMBER, "Of the link; 0: unknown.", NULL},
    {"address", "IPV4", COLUMN_TEXT, "With prefix length.", NULL},
    {"address6", "IPV6", COLUMN_TEXT, "With prefix length.", NULL},
    {"mac", "MAC", COLUMN_TEXT, "Ethernet address.", NULL},
    {"vlan", NULL, COLUMN_NUMBER, "VLAN; 0: untagged.", NULL},
    {"mtu", "MTU", COLUMN_PORT, "Bytes.", NULL},
    {"queues", "QUEUES", COLUMN_NUMBER, "Receive and transmit queues in use.", NULL},
    {"rx_packets", "RX", COLUMN_NUMBER, "Frames received.", NULL},
    {"tx_packets", "TX", COLUMN_NUMBER, "Frames sent.", NULL},
    {"rx_per_second", "RX/S", COLUMN_RATE, "Over the last second or two.", NULL},
    {"tx_per_second", "TX/S", COLUMN_RATE, "Over the last second or two.", NULL},
    {"rx_bytes", NULL, COLUMN_BYTES, "Received.", NULL},
    {"tx_bytes", NULL, COLUMN_BYTES, "Sent.", NULL},
    {"rx_missed", "MISSED", COLUMN_NUMBER, "Dropped by the device, its queue was full.", NULL},
    {"rx_errors", "RX ERR", COLUMN_NUMBER, "Damaged frames.", NULL},
    {"rx_no_buffer", "NO BUF", COLUMN_NUMBER, "Not received, no packet buffer was free.", NULL},
    {"tx_errors", "TX ERR", COLUMN_NUMBER, "Frames that could not be sent.", NULL},
    {"offloads", "OFFLOADS", COLUMN_LIST, "What the device does itself.", NULL},
    END};

const struct column columns_capture[] = {
    {"capture", "CAPTURE", COLUMN_PORT, "Its number.", NULL},
    {"state", "STATE", COLUMN_TEXT, "running, stopping (workers let go), or ended.", NULL},
    {"packets", "PACKETS", COLUMN_NUMBER, "In the file.", NULL},
    {"bytes", "BYTES", COLUMN_BYTES, "Size of the file.", NULL},
    {"missed", "MISSED", COLUMN_NUMBER,
     "Frames that were not copied because the control plane did not keep up.", NULL},
    {"seconds", "SECONDS", COLUMN_NUMBER, "How long it has run, or ran.", NULL},
    {"since", NULL, COLUMN_TEXT, "When it began (UTC).", NULL},
    {"packets_max", NULL, COLUMN_NUMBER, "Limit: packets.", NULL},
    {"bytes_max", NULL, COLUMN_BYTES, "Limit: size of the file.", NULL},
    {"seconds_max", NULL, COLUMN_NUMBER, "Limit: time.", NULL},
    {"snap_bytes", NULL, COLUMN_NUMBER, "The most that is kept of a frame.", NULL},
    {"payload", NULL, COLUMN_FLAG, "Whether what is behind the headers is kept.", NULL},
    {"file", "FILE", COLUMN_TEXT, "A pcapng file.", NULL},
    {"filter", "FILTER", COLUMN_TEXT, "What is captured.", NULL},
    {"reason", "ENDED BECAUSE", COLUMN_TEXT, "Null while it runs.", NULL},
    END};

static const struct column memory_workers[] = {
    {"worker", "WORKER", COLUMN_NUMBER, "Its number.", NULL},
    {"arena_used", "USED", COLUMN_BYTES, "Of its arena.", NULL},
    {"arena_limit", "LIMIT", COLUMN_BYTES, "The most it may use.", NULL},
    {"connections", "CONNECTIONS", COLUMN_NUMBER, "TCP connections.", NULL},
    {"subscriptions", "SUBS", COLUMN_NUMBER, "Of clean sessions.", NULL},
    {"bytes_per_connection", "BYTES/CONN", COLUMN_RATE, "Used, by connection.", NULL},
    {"flow_bytes", "FLOWS", COLUMN_BYTES,
     "TCP: flow table and the list of connections to be served.", NULL},
    {"connection_bytes", "TCP", COLUMN_BYTES, "TCP: connections.", NULL},
    {"extension_bytes", "TCP EXT", COLUMN_BYTES, "TCP: attached while data is in flight.", NULL},
    {"trace_bytes", "TRACES", COLUMN_BYTES, "TCP: traces; beside the arena, taken as they fill.",
     NULL},
    {"session_bytes", "MQTT", COLUMN_BYTES, "MQTT: sessions.", NULL},
    {"partial_bytes", "HALF PACKETS", COLUMN_BYTES, "MQTT: packets that have come in part.", NULL},
    {"send_queue_bytes", "SEND QUEUES", COLUMN_BYTES, "MQTT: messages to be sent.", NULL},
    {"router_bytes", "TOPICS", COLUMN_BYTES, "Topic tables and subscriptions.", NULL},
    {"route_bytes", NULL, COLUMN_BYTES, "Routes to other threads.", NULL},
    END};

static const struct column memory_shards[] = {
    {"shard", "SHARD", COLUMN_NUMBER, "Its number.", NULL},
    {"used", "USED", COLUMN_BYTES, "Of its arena.", NULL},
    {"limit", "LIMIT", COLUMN_BYTES, "The most it may use.", NULL},
    {"clients", "CLIENTS", COLUMN_NUMBER, "It knows.", NULL},
    {"persistent", "PERSISTENT", COLUMN_NUMBER, "Persistent sessions.", NULL},
    {"subscriptions", "SUBS", COLUMN_NUMBER, "Of persistent sessions.", NULL},
    {"queued", "QUEUED", COLUMN_NUMBER, "Messages that wait in sessions.", NULL},
    {"retained", "RETAINED", COLUMN_NUMBER, "Retained messages.", NULL},
    {"retained_bytes", "RETAINED BYTES", COLUMN_BYTES, "What those take.", NULL},
    END};

static const struct column memory_slabs[] = {
    {"worker", "WORKER", COLUMN_NUMBER, "Whose.", NULL},
    {"slab", "SLAB", COLUMN_TEXT, "Kind of object.", NULL},
    {"object_size", "SIZE", COLUMN_NUMBER, "Bytes of one.", NULL},
    {"used", "OBJECTS", COLUMN_NUMBER, "In use.", NULL},
    {"bytes", "HELD", COLUMN_BYTES, "Memory the slab holds.", NULL},
    {"failed", "REFUSED", COLUMN_NUMBER, "Allocations that memory was short for.", NULL},
    END};

const struct column columns_memory_show[] = {
    {"process.resident", "Resident", COLUMN_BYTES, "Physical memory of the process.", NULL},
    {"process.virtual", "Address space", COLUMN_BYTES, "Reserved, mostly untouched.", NULL},
    {"process.resident_per_client", "Resident per client", COLUMN_BYTES,
     "Resident bytes by connected clients; null below a thousand, where it says nothing.", NULL},
    {"heap.allocated", "Heap allocated", COLUMN_BYTES, "jemalloc: in use (control plane).", NULL},
    {"heap.resident", "Heap resident", COLUMN_BYTES, "jemalloc: physical memory.", NULL},
    {"heap.mapped", "Heap mapped", COLUMN_BYTES, "jemalloc: address space.", NULL},
    {"heap.arenas", "Heap arenas", COLUMN_NUMBER, "jemalloc: arenas.", NULL},
    {"routes.bytes", "Route table", COLUMN_BYTES, "Shared table of routes between threads.", NULL},
    {"routes.count", "Routes", COLUMN_NUMBER, "Entries of it.", NULL},
    {"workers", "Workers", COLUMN_TABLE, "Each worker's arena.", memory_workers},
    {"shards", "Control shards", COLUMN_TABLE, "Each control shard's arena.", memory_shards},
    {"slabs", "Slabs", COLUMN_TABLE, "Objects of one size, by worker.", memory_slabs},
    END};

#define COUNTER_COLUMNS                                                                            \
    {"name", "NAME", COLUMN_TEXT, "layer.what", NULL},                                             \
        {"count", "COUNT", COLUMN_NUMBER, "Since the start, of all threads.", NULL},               \
        {"per_second", "PER SECOND", COLUMN_RATE, "Over the last second or two.", NULL}, {         \
        "text", "WHAT IT MEANS", COLUMN_TEXT, "A sentence.", NULL                                  \
    }

const struct column columns_drops[] = {COUNTER_COLUMNS, END};

const struct column columns_counters[] = {
    COUNTER_COLUMNS, {"drop", NULL, COLUMN_FLAG, "Whether it counts drops.", NULL}, END};

const struct column columns_config_show[] = {
    {"path", NULL, COLUMN_TEXT, "Of the file; null: all defaults.", NULL},
    {"yaml", "", COLUMN_BLOCK, "The configuration in force, defaults included.", NULL},
    END};

const struct column columns_config_check[] = {
    {"file", "File", COLUMN_TEXT, "That was checked.", NULL},
    {"good", "Good", COLUMN_FLAG, "Whether a broker would start with it.", NULL},
    {"mistakes", NULL, COLUMN_LIST, "FILE:LINE: key: what is wrong; what would be right.", NULL},
    END};

const struct column columns_log_level[] = {
    {"level", "Level", COLUMN_TEXT, "Least important messages that are logged.", NULL}, END};
