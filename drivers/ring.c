/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: a port made of rte_rings inside this process, for tests and for a load generator in the
 * same process. What is put into "<device>_rx<queue>" is received, what is sent comes out of
 * "<device>_tx<queue>". Rings that exist already under these names are used, else they are created.
 */
#include <stdio.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "drivers/kinds.h"

enum { RING_QUEUES_MAX = 16 }; /* of the driver */

static void ring_name(const struct config_port *config, const char *direction, unsigned queue,
                      char name[RTE_RING_NAMESIZE]) {
    snprintf(name, RTE_RING_NAMESIZE, "%s_%s%u", config->device, direction, queue);
}

static int eal_argument(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size) {
    char name[RTE_RING_NAMESIZE + 8];
    int len = snprintf(name, sizeof name, "%s_rx%u", config->device, RING_QUEUES_MAX);
    if (len < 0 || (size_t)len >= RTE_RING_NAMESIZE)
        return port_error(error, error_size, "port %s: device: the name of a ring is too long",
                          config->device);
    argument[0] = '\0';
    return 0;
}

static struct rte_ring *ring_get(const struct config_port *config, const char *direction,
                                 unsigned queue) {
    char name[RTE_RING_NAMESIZE];
    ring_name(config, direction, queue, name);
    struct rte_ring *ring = rte_ring_lookup(name);
    if (ring != NULL)
        return ring;
    return rte_ring_create(name, rte_align32pow2(config->queue_size), SOCKET_ID_ANY,
                           RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static void rings_free(const struct config_port *config) {
    for (unsigned i = 0; i < RING_QUEUES_MAX; i++) {
        char name[RTE_RING_NAMESIZE];
        ring_name(config, "rx", i, name);
        rte_ring_free(rte_ring_lookup(name));
        ring_name(config, "tx", i, name);
        rte_ring_free(rte_ring_lookup(name));
    }
}

static int find(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id) {
    struct rte_ring *rx[RING_QUEUES_MAX], *tx[RING_QUEUES_MAX];
    for (unsigned i = 0; i < queues; i++) {
        rx[i] = ring_get(config, "rx", i);
        tx[i] = ring_get(config, "tx", i);
        if (rx[i] == NULL || tx[i] == NULL) {
            rings_free(config);
            return -1;
        }
    }
    int made = rte_eth_from_rings(config->device, rx, queues, tx, queues, 0);
    if (made < 0) {
        rings_free(config);
        return -1;
    }
    *id = (uint16_t)made;
    return 0;
}

/* The driver makes a virtual device for its port, which closing the port leaves behind. */
static void closed(const struct config_port *config) {
    char name[RTE_ETH_NAME_MAX_LEN];
    snprintf(name, sizeof name, "net_ring_%s", config->device);
    rte_eal_hotplug_remove("vdev", name);
    rings_free(config);
}

const struct port_kind port_kind_ring = {
    .name = "ring",
    .package = "librte-net-ring23",
    .queues_max = RING_QUEUES_MAX,
    .options = "",
    .eal_argument = eal_argument,
    .find = find,
    .closed = closed,
};
