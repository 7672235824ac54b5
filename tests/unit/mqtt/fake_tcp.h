/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP for the tests of the MQTT side: implements what mqtt/ uses of tcp.h on byte buffers, with
 * the application's part where tcp.h says. A struct peer is the other end: what it sends is offered
 * at once and, if not taken, again after tcp_resume; what is sent to it is gathered.
 */
#ifndef LINEMQ_TESTS_MQTT_FAKE_TCP_H
#define LINEMQ_TESTS_MQTT_FAKE_TCP_H

#include "dataplane/tcp/tcp.h"

struct peer {
    struct tcp_conn *conn; /* NULL: none, or closed */
    uint8_t *unread;       /* sent and not taken by the application */
    size_t unread_len;
    uint8_t *got; /* what arrived, in order */
    size_t got_len, got_room;
    bool silent;    /* acknowledges nothing */
    size_t window;  /* bytes it lets be in flight while silent; 0 = as many as there are */
    bool keeps_fin; /* does not answer FIN */
    bool refused;   /* the application did not want the connection */
    bool fin;       /* FIN arrived */
    bool reset;     /* RST arrived */
    bool sent_fin;
};

struct tcp *fake_tcp_create(struct pool *pool, const struct tcp_app *app);
void fake_tcp_destroy(struct tcp *tcp);
void fake_tcp_begin(struct tcp *tcp, uint64_t now);

/* Opens a connection; as with the real one, the first bytes do. */
void peer_send(struct tcp *tcp, struct peer *peer, const void *bytes, size_t len);
void peer_fin(struct tcp *tcp, struct peer *peer);
void peer_reset(struct tcp *tcp, struct peer *peer, enum tcp_close why);
void peer_free(struct peer *peer);

/* What the real one does in tcp_timers and tcp_output. */
void fake_tcp_timers(struct tcp *tcp);
void fake_tcp_output(struct tcp *tcp);
/* The peer acknowledges `len` bytes of what it got. */
void peer_acknowledge(struct tcp *tcp, struct peer *peer, uint32_t len);

/* Lets the application's part be looked at. */
uint64_t fake_tcp_timer_of(const struct tcp_conn *conn);
bool fake_tcp_keepalive_of(const struct tcp_conn *conn);
unsigned fake_tcp_connections(const struct tcp *tcp);
bool fake_tcp_accepting(const struct tcp *tcp);

#endif
