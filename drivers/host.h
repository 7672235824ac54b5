/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows about the machine's network. Main thread: system calls. */
#ifndef LINEMQ_DRIVERS_HOST_H
#define LINEMQ_DRIVERS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"

/* Whether this process may: CAP_NET_ADMIN, CAP_NET_RAW, ... (linux/capability.h). */
bool host_may(unsigned capability);

/* Whether the kernel takes it as the name of an interface. */
bool host_interface_name_valid(const char *name);
bool host_interface_exists(const char *name);
bool host_interface_up(const char *name);
bool host_interface_running(const char *name); /* up, and with a carrier */

/* Of an interface, or negative. */
int host_interface_mtu(const char *name);

/* One ethtool request (linux/ethtool.h) with a struct that begins with its command. 0 or negative
 * errno. */
int host_ethtool(const char *interface, void *request);

/* The value of an offload: ETHTOOL_GGRO and its like. Off where the device knows none. */
bool host_offload(const char *interface, uint32_t get);
int host_offload_set(const char *interface, uint32_t set, bool on);

/* Whether one of the kernel's interfaces has one of the port's addresses: then the kernel would
 * answer our clients too, with resets. */
bool host_has_address(const struct config_port *config);

/* Checks that an existing interface can be shared with the kernel (af_packet, af_xdp): it exists,
 * is up, has the MTU, and the kernel does not answer for our addresses. 0, or -1 and a sentence. */
int host_interface_usable(const struct config_port *config, char *error, unsigned error_size);

#endif
