/* SPDX-License-Identifier: Apache-2.0 */
/* The named limits of the MQTT side; the configuration fills them in. */
#ifndef LINEMQ_MQTT_LIMITS_H
#define LINEMQ_MQTT_LIMITS_H

#include <stdint.h>

struct mqtt_limits {
    uint32_t packet_size;  /* largest control packet, fixed header included, bytes */
    uint32_t topic_length; /* bytes of a topic name or filter */
    uint32_t topic_levels;
    uint32_t client_id_length; /* bytes */
    uint32_t subscriptions;    /* of one client */
    uint32_t filters;          /* of one SUBSCRIBE or UNSUBSCRIBE, at most 65535 */
    uint32_t inflight;     /* QoS 1 and 2 messages sent and not yet acknowledged, of a session */
    uint32_t queued;       /* messages waiting behind those, of a session */
    uint32_t queued_bytes; /* their bytes */
    uint32_t send_queue_bytes;   /* on a connection: above it QoS 0 is dropped */
    uint32_t qos2_received;      /* incoming QoS 2 messages not yet released, of a client */
    uint64_t partial_bytes;      /* memory of packets that have come in part, of the worker */
    uint32_t connect_timeout_ms; /* from the first byte to a whole CONNECT */
    uint32_t packet_timeout_ms;  /* a packet begun and not ended */
    uint16_t keep_alive_max;     /* seconds; a longer or no keep alive is cut to it; 0 = no limit */
};

#endif
