/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of a veth pair. While it has checksum and segmentation offload, what it sends
 * arrives with half-made checksums and in frames of up to 64 KiB, since the kernel expects a kernel
 * on both ends. Main thread, set-up only.
 */
#ifndef LINEMQ_DRIVERS_PEER_H
#define LINEMQ_DRIVERS_PEER_H

/* If `interface` is one end of a veth pair, switches these offloads off on the other end, in
 * whatever network namespace it is. 0; or -1 and a sentence that says what to do by hand. */
int peer_offloads_off(const char *interface, char *error, unsigned error_size);

#endif
