/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection sends, once a turn for each that was touched: what was lost first, then new
 * data and FIN as far as congestion and send window allow, then the ACK if nothing carried it.
 *
 * Nobody but tcp_output sends for a connection: input, timers and the application only leave marks
 * and touch it. So one ACK answers a burst, replies carry it, and small writes of one turn leave in
 * one segment (no Nagle, RFC 9293 3.7.4, no delayed ACK).
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_OUTPUT_H
#define LINEMQ_TCP_OUTPUT_H

#include "dataplane/tcp/conn.h"

enum { OUTPUT_SHARE = 16 }; /* segments of one connection before others have their turn */

#endif
