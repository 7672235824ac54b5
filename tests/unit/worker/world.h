/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole workers over a ring port, turned by hand: real ether, tcp, mqtt and router. A desk plays
 * the control shard (which also writes the routes), another the admin thread; clients are written
 * as segments. We are 10.88.0.2, the clients' machine is 10.88.0.1.
 */
#ifndef LINEMQ_TESTS_WORKER_WORLD_H
#define LINEMQ_TESTS_WORKER_WORLD_H

#include "dataplane/worker/worker_internal.h"
#include "tests/unit/ether/eal.h"
#include "tests/unit/mail/desk.h"

enum { WORKERS_MAX = 2, CLIENTS_MAX = 16, MAILS_MAX = 64, RX_SLOTS = 128 };

/* One end of a TCP connection. */
struct client {
    uint16_t port;
    uint32_t seq, ack; /* what comes next from each side */
    uint8_t in[4096];  /* payload that arrived */
    unsigned in_len;
    bool connected, finished, reset; /* SYN-ACK, FIN, RST came */
};

struct world {
    unsigned workers, shard_thread, admin_thread;
    struct config_port port_config;
    struct port port;
    struct clock clock;
    struct standstill standstill;
    struct mailboxes *mailboxes;
    struct routes *routes;
    struct handover *handover;
    struct worker *worker[WORKERS_MAX];
    bool running[WORKERS_MAX];
    struct desk shard, admin;
    struct mail mails[MAILS_MAX]; /* to the shard, but for those it answers by itself */
    unsigned mails_count;
    bool admin_away; /* it takes no mail */
    struct mail inspected[MAILS_MAX];
    unsigned inspected_count;
    struct client clients[CLIENTS_MAX];
    unsigned clients_count;
};

struct world_options {
    unsigned workers, queues, mail_slots; /* 0: one, one a worker, 256 */
    bool sleep;
    uint64_t stood_still; /* microseconds taken out of time before */
};

/* Everything up to the loops; world_begin enters them. */
void world_open(struct world *world, const struct world_options *options);
void world_begin(struct world *world);
/* The workers' part of the configuration. */
struct worker_config world_worker_config(struct world *world, unsigned self, bool sleep);
/* Ends loops that still run, gives everything back, and sees that nothing is missing. */
void world_close(struct world *world);

/* For cmocka set-up and tear-down: all of that, and the buffers are back. */
int world_set_up(struct world *world, const struct world_options *options);
int world_tear_down(struct world *world);

/* A turn of each worker and of the desks; frames that were sent go to the clients. */
void turn(struct world *world);
void turns(struct world *world, unsigned n);
/* The desks and clients alone, while the worker has a thread of its own. */
void turn_others(struct world *world);

/* Takes the first mail of a type that the shard has got. */
struct mail take_mail(struct world *world, enum mail_type type);
struct mail answer_to(const struct mail *about, enum mail_type type);
void shard_send(struct world *world, unsigned to, struct mail mail);
/* From the admin thread, with a parcel of its own. */
void send_inspection(struct world *world, unsigned to, enum inspection_kind kind);

uint64_t counted(const struct world *world, unsigned worker, enum counter counter);

/* Puts a segment into receive queue 0; the ACK number is set unless it is a SYN. */
void client_segment(struct world *world, struct client *client, unsigned flags, const void *data,
                    unsigned len);
struct client *client_new(struct world *world);
/* Data with ACK and PSH. */
void client_send(struct world *world, struct client *client, const void *data, unsigned len);
/* Takes `len` bytes and expects that they are what came first. */
void client_expect(struct client *client, const void *data, unsigned len);

/* Three-way handshake, CONNECT of a clean session, the shard's yes, CONNACK. */
struct client *connected_client(struct world *world, const char *id);
void send_connect(struct world *world, struct client *client, const char *id);

#endif
