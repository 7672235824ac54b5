/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of port, and what their files share. Main thread, set-up only. */
#ifndef LINEMQ_DRIVERS_KINDS_H
#define LINEMQ_DRIVERS_KINDS_H

#include "drivers/port.h"

extern const struct port_kind port_kind_tap, port_kind_af_packet, port_kind_af_xdp, port_kind_memif,
    port_kind_ring, port_kind_pci;

/* Writes a sentence to `error` and returns -1. */
int port_error(char *error, unsigned error_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends to an EAL argument, user options last: ",key=value". -1 when it does not fit. */
int argument_add(char *argument, unsigned size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int argument_options(char *argument, unsigned size, const struct config_port *config);

/* Whether the user's options set this key already. */
bool options_have(const struct config_port *config, const char *key);

/* The `find` of virtual devices: by the name "<driver><index>". */
int find_vdev(const char *driver, unsigned index, uint16_t *id);

#endif
