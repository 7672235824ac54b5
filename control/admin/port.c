/* SPDX-License-Identifier: Apache-2.0 */
/* ctl port list */
#include "drivers/port.h"

#include <stdio.h>

#include <rte_ethdev.h>

#include "control/admin/handlers.h"

static json_t *offloads_json(uint32_t offloads) {
    static const struct {
        enum port_offload bit;
        const char *name;
    } names[] = {
        {PORT_RX_CHECKSUM, "rx-checksum"},         {PORT_TX_IPV4_CHECKSUM, "tx-ipv4-checksum"},
        {PORT_TX_TCP_CHECKSUM, "tx-tcp-checksum"}, {PORT_RX_HASH, "rx-hash"},
        {PORT_RX_INTERRUPT, "rx-interrupt"},
    };
    json_t *list = json_array();
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if ((offloads & names[i].bit) != 0)
            json_array_append_new(list, json_string(names[i].name));
    return list;
}

static json_t *text_or_null(const char *text) {
    return text != NULL ? json_string(text) : json_null();
}

/* What the driver says of itself and its link. */
static void add_device(json_t *row, const struct port *port) {
    struct rte_eth_dev_info info;
    uint32_t mbit;
    bool up = port_link(port, &mbit);
    bool known = rte_eth_dev_info_get(port->id, &info) == 0;
    json_object_set_new(row, "driver", text_or_null(known ? info.driver_name : NULL));
    json_object_set_new(row, "link", json_string(up ? "up" : "down"));
    json_object_set_new(row, "speed_mbit", json_integer(mbit));
}

static void add_statistics(json_t *row, const struct sample *now, const struct sample *then,
                           unsigned i) {
    if (i >= SAMPLE_PORTS || !now->ports[i].valid)
        return;
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"rx_packets", now->ports[i].rx_packets}, {"tx_packets", now->ports[i].tx_packets},
        {"rx_bytes", now->ports[i].rx_bytes},     {"tx_bytes", now->ports[i].tx_bytes},
        {"rx_missed", now->ports[i].rx_missed},   {"rx_errors", now->ports[i].rx_errors},
        {"tx_errors", now->ports[i].tx_errors},   {"rx_no_buffer", now->ports[i].rx_no_buffer},
    };
    for (unsigned k = 0; k < sizeof numbers / sizeof *numbers; k++)
        json_object_set_new(row, numbers[k].key, json_integer((json_int_t)numbers[k].value));
    json_object_set_new(
        row, "rx_per_second",
        json_real(sample_rate(now->ports[i].rx_packets, then->ports[i].rx_packets, now, then)));
    json_object_set_new(
        row, "tx_per_second",
        json_real(sample_rate(now->ports[i].tx_packets, then->ports[i].tx_packets, now, then)));
}

static json_t *port_json(const struct port *port, unsigned i) {
    const struct config_port *config = port->config;
    char mac[18];
    snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0], port->mac[1],
             port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
    return json_pack("{s:i, s:s, s:o, s:o, s:o, s:s, s:i, s:i, s:i, s:o}", "port", (int)i, "kind",
                     port_kind(config->kind)->name, "device", text_or_null(config->device),
                     "address", text_or_null(config->address), "address6",
                     text_or_null(config->address6), "mac", mac, "vlan", (int)config->vlan, "mtu",
                     (int)port->mtu, "queues", (int)port->queues, "offloads",
                     offloads_json(port->offloads));
}

void port_list_step(struct job *job) {
    const struct registry *registry = job->admin->registry;
    struct sample *now = job_state(job, sizeof *now);
    if (now == NULL)
        return;
    sample_take(registry, now);
    for (unsigned i = 0; i < registry->ports_count; i++) {
        json_t *row = port_json(&registry->ports[i], i);
        if (row != NULL) {
            add_device(row, &registry->ports[i]);
            add_statistics(row, now, &job->admin->samples.older, i);
        }
        job_row(job, row);
    }
    job_done(job);
}
