/* SPDX-License-Identifier: Apache-2.0 */
#include "control/config/config.h"

/* A NIC's table of 128 entries gives 30 workers four or five of them each, 17 % more than the mean;
 * 64 is eight standard deviations of a hash that puts 64 connections on each. */
enum { MARGIN_DIVISOR = 4, MARGIN_LEAST = 64 };

uint32_t config_worker_connections(const struct config *config) {
    uint32_t all = config->tcp.connections, workers = config->workers.count;
    if (workers <= 1)
        return all;
    uint32_t share = (all + workers - 1) / workers;
    uint32_t most = share + share / MARGIN_DIVISOR + MARGIN_LEAST;
    return most < all ? most : all;
}
