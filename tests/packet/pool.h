/* SPDX-License-Identifier: Apache-2.0 */
/* Takes away all memory that a stack could still get, and gives it back. */
#ifndef LINEMQ_TESTS_PACKET_POOL_H
#define LINEMQ_TESTS_PACKET_POOL_H

struct world;

void pool_take_all(struct world *world);
void pool_give_back(void);

#endif
