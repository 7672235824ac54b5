/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire between a TAP interface, which it creates, and a memif socket that a broker serves: so
 * clients on the Linux stack reach a broker whose own port makes no system calls.
 *
 * usage: memif_wire INTERFACE SOCKET. Runs until SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

enum { BURST = 32, DESCRIPTORS = 512, MBUFS = 4096, IDLE_US = 20 };

static volatile sig_atomic_t stopped;

static void stop(int signal) {
    stopped = 1;
}

static int port_start(const char *name, struct rte_mempool *pool, uint16_t *port) {
    struct rte_eth_conf conf = {0};
    if (rte_eth_dev_get_port_by_name(name, port) != 0 ||
        rte_eth_dev_configure(*port, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup(*port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) != 0 ||
        rte_eth_tx_queue_setup(*port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) != 0 ||
        rte_eth_dev_start(*port) != 0) {
        fprintf(stderr, "memif_wire: %s does not start\n", name);
        return -1;
    }
    rte_eth_promiscuous_enable(*port);
    return 0;
}

static unsigned carry(uint16_t from, uint16_t to) {
    struct rte_mbuf *frames[BURST];
    uint16_t n = rte_eth_rx_burst(from, 0, frames, BURST);
    for (uint16_t sent = 0; sent < n && !stopped;)
        sent += rte_eth_tx_burst(to, 0, frames + sent, n - sent);
    return n;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: memif_wire INTERFACE SOCKET\n");
        return 2;
    }
    char tap[64], memif[256], prefix[32];
    snprintf(tap, sizeof tap, "--vdev=net_tap0,iface=%s", argv[1]);
    snprintf(memif, sizeof memif, "--vdev=net_memif0,role=client,socket-abstract=no,socket=%s",
             argv[2]);
    snprintf(prefix, sizeof prefix, "wire%d", (int)getpid());
    char *eal[] = {argv[0],         "--no-huge",      "--no-shconf", "--no-pci", "--no-telemetry",
                   "--file-prefix", prefix,           "-m",          "64",       "--log-level=3",
                   "--lcores=0",    "--iova-mode=va", tap,           memif};
    if (rte_eal_init(sizeof eal / sizeof eal[0], eal) < 0)
        return 1;
    /* It stays empty, and who is killed cannot remove it. */
    rmdir(rte_eal_get_runtime_dir());
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create("wire", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    uint16_t a, b;
    if (pool == NULL || port_start("net_memif0", pool, &b) != 0 ||
        port_start("net_tap0", pool, &a) != 0)
        return 1;
    signal(SIGTERM, stop);
    while (!stopped)
        if (carry(a, b) + carry(b, a) == 0)
            usleep(IDLE_US);
    rte_eth_dev_stop(a);
    rte_eth_dev_stop(b);
    rte_eal_cleanup();
    return 0;
}
