/* SPDX-License-Identifier: Apache-2.0 */
/* The list; see counters.h. Names are layer.what; sentences begin with what happened. */
#ifndef LINEMQ_BASE_COUNTERS_LIST_H
#define LINEMQ_BASE_COUNTERS_LIST_H

/* clang-format off */
#define LINEMQ_COUNTERS_ETHER(X) \
    X(ETHER_RX_PACKETS, "ether.rx_packets", COUNT, "Frames taken from the port.") \
    X(ETHER_TX_PACKETS, "ether.tx_packets", COUNT, "Frames given to the port.")

#define LINEMQ_COUNTERS_TCP(X) \
    X(TCP_SEGMENTS_IN, "tcp.segments_in", COUNT, "Segments that reached TCP with a good checksum.") \
    X(TCP_SEGMENTS_OUT, "tcp.segments_out", COUNT, "Segments sent, retransmissions included.")

#define LINEMQ_COUNTERS_MQTT(X) \
    X(MQTT_PACKETS_IN, "mqtt.packets_in", COUNT, "Control packets received whole.") \
    X(MQTT_PACKETS_OUT, "mqtt.packets_out", COUNT, "Control packets queued to clients.")

#define LINEMQ_COUNTERS_TOPICS(X) \
    X(TOPICS_MAIL_PUBLISH, "topics.mail_publish", COUNT, "Messages mailed to other threads that may have subscribers.")

#define LINEMQ_COUNTERS_WORKER(X) \
    X(WORKER_HANDED_OVER, "worker.handed_over", COUNT, "Frames that arrived on a worker that does not own their flow and were handed to the owner.")

#define LINEMQ_COUNTERS_CONTROL(X) \
    X(CONTROL_CONNECTS, "control.connects", COUNT, "CONNECT requests that reached a control shard.")

#define LINEMQ_COUNTERS(X) \
    LINEMQ_COUNTERS_ETHER(X) LINEMQ_COUNTERS_TCP(X) LINEMQ_COUNTERS_MQTT(X) \
    LINEMQ_COUNTERS_TOPICS(X) LINEMQ_COUNTERS_WORKER(X) LINEMQ_COUNTERS_CONTROL(X)
/* clang-format on */

#endif
