/* SPDX-License-Identifier: Apache-2.0 */
/* The buffers that frames live in, shared by all ports and workers. Main thread, after eal_start.
 */
#ifndef LINEMQ_DRIVERS_PACKET_POOL_H
#define LINEMQ_DRIVERS_PACKET_POOL_H

struct rte_mempool;

/* Bytes of packet memory that one buffer takes, all counted. */
enum { PACKET_BUFFER_COST = 2560 };

/* Any device may read and write the buffers, on ordinary memory too. NULL: no memory, and rte_errno
 * says more. To be freed with rte_mempool_free. */
struct rte_mempool *packet_pool_create(unsigned buffers);

#endif
