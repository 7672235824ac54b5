/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/scenario_keys.h"

#define NUMBER(section, name, preset, min, max, text)                                              \
    {                                                                                              \
#section, #name, preset, text, min, max, offsetof(struct scenario, section.name),          \
            TYPE_NUMBER                                                                            \
    }
#define REAL(section, name, preset, min, max, text)                                                \
    { #section, #name, preset, text, min, max, offsetof(struct scenario, section.name), TYPE_REAL }
#define FLAG(section, name, preset, text)                                                          \
    { #section, #name, preset, text, 0, 0, offsetof(struct scenario, section.name), TYPE_FLAG }
#define TEXT(section, name, preset, text)                                                          \
    { #section, #name, preset, text, 0, 0, offsetof(struct scenario, section.name), TYPE_TEXT }

const struct scenario_key scenario_keys[] = {
    {"", "name", "unnamed", "Of the scenario, for the result.", 0, 0,
     offsetof(struct scenario, name), TYPE_TEXT},

    TEXT(port, kind, "memif", "As in the broker's ports: memif, pci, af_xdp, af_packet, tap."),
    TEXT(port, device, "/run/linemq/memif.sock", "Likewise; the broker is memif's server."),
    TEXT(port, options, NULL, "Further options of the driver."),
    TEXT(port, mac, NULL, "Ethernet address; none: the device's, or one made from its name."),
    TEXT(port, cpu, NULL, "CPU that the generator polls on; none: any."),
    TEXT(port, eal, NULL, "Further arguments for EAL."),
    NUMBER(port, queues, "1", 1, 30, "As many as the broker has workers."),
    NUMBER(port, queue_size, "1024", 64, 16384, "Descriptors of a queue."),
    NUMBER(port, mtu, "1500", 576, 1500, "Largest IP packet, bytes."),
    NUMBER(port, packet_memory_mib, "128", 64, 65536, "Memory for packet buffers."),
    NUMBER(port, nap_us, "0", 0, 10000,
           "Microseconds to sleep when there is nothing to do; 0: poll without a pause."),
    FLAG(port, hugepages, "true", "Use hugepages when some are free."),

    TEXT(network, broker, "10.88.0.2", "The broker's IPv4 address."),
    NUMBER(network, port, "1883", 1, 65535, "Its TCP port."),
    TEXT(network, broker_mac, NULL, "Its Ethernet address; none: asked by ARP."),
    TEXT(network, address, "10.128.0.1",
         "First IPv4 address of the devices; the next follow as they are needed."),
    NUMBER(network, ports_per_address, "32768", 1, 64512, "Devices with one address."),
    NUMBER(network, first_port, "16384", 1024, 65535, "TCP port of the first of them."),
    REAL(network, loss_to_broker, "0", 0, 90, "Percent of TCP frames thrown away on purpose."),
    REAL(network, loss_from_broker, "0", 0, 90, "Likewise in the other direction."),
    NUMBER(network, seed, "1", 0, 4294967295.0, "Of all random choices."),

    NUMBER(tcp, window, "262144", 4096, 16777216, "Receive window of a device, bytes."),
    NUMBER(tcp, mss, "1460", 536, 1460, "Largest segment a device takes."),
    NUMBER(tcp, rto_ms, "1000", 50, 60000, "Retransmission time-out, doubled each time."),
    NUMBER(tcp, retries, "8", 1, 15, "Retransmissions until a device gives up."),
    NUMBER(tcp, ack_segments, "2", 1, 15,
           "Segments until an ACK is sent at once; fewer are acknowledged with the next data, or "
           "after 48 ms."),
    FLAG(tcp, timestamps, "true", "Offer the time stamps option."),

    NUMBER(fleet, groups, "1", 1, 50000000, "Groups; all are alike."),
    NUMBER(fleet, publishers, "1", 0, 50000000, "Devices of a group that publish."),
    NUMBER(fleet, subscribers, "1", 0, 50000000, "Devices of a group that subscribe."),
    NUMBER(fleet, topics, "1", 1, 1000000, "Topics of a publisher, used in turn."),
    NUMBER(fleet, keep_alive, "60", 0, 65535, "Seconds; a PINGREQ each, 0: none."),
    TEXT(fleet, client_id, "lg{device}", "Client identifiers; fields as in topics."),
    TEXT(fleet, username, NULL, "Of all devices."),
    TEXT(fleet, password, NULL, "Of all devices."),

    REAL(connect, rate, "0", 0, 100000000, "Connections a second; 0: at_once sets the pace."),
    NUMBER(connect, at_once, "256", 1, 50000000, "Connections being opened at a time, at most."),
    NUMBER(connect, timeout, "60", 1, 100000, "Seconds until the run goes on with those it has."),

    TEXT(publish, topic, "bench/{group}/{publisher}",
         "With {group}, {publisher}, {topic}, {device} as eight digits."),
    TEXT(publish, filter, "bench/{group}/{publisher}",
         "What subscribers subscribe to: once for each publisher or topic that it names; none: "
         "nothing."),
    NUMBER(publish, qos, "0", 0, 2, "Of the messages."),
    NUMBER(publish, subscribe_qos, "2", 0, 2, "Of the subscriptions."),
    NUMBER(publish, payload, "64", 16, 65536, "Bytes."),
    NUMBER(publish, per_segment, "1", 1, 1000, "Messages of one publisher sent together."),
    NUMBER(publish, window, "32", 1, 60000,
           "Messages of a publisher on the way: with a rate those not acknowledged, without one "
           "those not delivered either."),
    NUMBER(
        publish, at_once, "0", 0, 50000000,
        "Without a rate: messages of the whole fleet on the way, whose publishers take turns; 0: "
        "each publisher goes by its window."),
    NUMBER(publish, messages, "0", 0, 4000000000.0, "Of each publisher; 0: no limit."),
    REAL(publish, rate, "0", 0, 1000000000,
         "Messages a second of all publishers; 0: the window sets the pace."),
    REAL(publish, commands_percent, "0", 0, 100,
         "Share of the rate that the first subscriber of a group sends to its publishers."),
    TEXT(publish, command_topic, "command/{device}", "Where a publisher gets them."),
    NUMBER(publish, command_qos, "1", 0, 2, "Their QoS."),

    REAL(run, settle, "0.2", 0, 86400, "Seconds between connecting and publishing."),
    REAL(run, warmup, "1", 0, 86400, "Seconds of publishing before the measurement."),
    REAL(run, duration, "10", 0, 864000, "Seconds of the measurement."),
    REAL(run, drain, "5", 0, 86400, "Seconds to wait at most for what is on the way."),
    FLAG(run, disconnect, "true", "DISCONNECT all devices at the end."),

    REAL(allow, loss, "0", 0, 100, "Percent of deliveries that may be lost."),
    FLAG(allow, duplicates, "false", "Whether messages may come again."),
    FLAG(allow, misorder, "false", "Whether messages may overtake each other."),
    NUMBER(allow, failed_connects, "0", 0, 50000000, "Devices that need not connect."),
};

const unsigned scenario_keys_count = sizeof scenario_keys / sizeof scenario_keys[0];
