/* SPDX-License-Identifier: Apache-2.0 */
/* How a recovery begins and ends, and the congestion window in between. Who finds a loss is loss.h.
 * Thread: the worker. */
#ifndef LINEMQ_TCP_RECOVERY_H
#define LINEMQ_TCP_RECOVERY_H

#include "dataplane/tcp/stack.h"

/* What counts against ssthresh. */
uint32_t recovery_flight_size(const struct tcp_conn *conn);

/* A loss was found by an ACK that delivered so much: ssthresh falls. */
void recovery_reduce(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                     uint32_t delivered);
/* That begins a fast recovery. */
void recovery_enter_fast(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                         uint32_t delivered);
/* An ACK while it lasts, or a timer with nothing delivered; `safe` as with prr_window. */
void recovery_govern(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                     uint32_t delivered, bool safe);

/* A timer has reduced the window, or what follows is as if it had. */
void recovery_enter_again(struct tcp_conn *conn, struct tcp_extension *extension);

/* Either is over: SND.UNA has reached `recover`. */
void recovery_leave(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);
/* It was no loss. The ACK that shows it acknowledged so much. */
void recovery_take_back(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                        uint32_t acked);

#endif
