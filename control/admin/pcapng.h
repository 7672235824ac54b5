/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a pcapng file (draft-ietf-opsawg-pcapng), as Wireshark, tshark and tcpdump read it: one
 * section, an Ethernet interface for each port, packets with their direction, statistics at the
 * end. Times are microseconds since the epoch.
 *
 * Pure but for stdio, whose error flag tells whether all was written. Thread: the caller's.
 */
#ifndef LINEMQ_CONTROL_ADMIN_PCAPNG_H
#define LINEMQ_CONTROL_ADMIN_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Each returns the bytes it wrote. */

/* `application` wrote it; `comment` is for people. */
uint64_t pcapng_section(FILE *out, const char *application, const char *comment);

/* Interfaces are numbered in the order they are written. `snap`: the most of a frame. */
uint64_t pcapng_interface(FILE *out, const char *name, uint32_t snap);

/* What pcapng_packet will write for `len` bytes. */
uint64_t pcapng_packet_size(uint32_t len);
uint64_t pcapng_packet(FILE *out, uint32_t interface, uint64_t time, bool sent,
                       const uint8_t *bytes, uint32_t len, uint32_t wire_len);

/* Frames written and missed between two times. */
uint64_t pcapng_statistics(FILE *out, uint32_t interface, uint64_t began, uint64_t ended,
                           uint64_t written, uint64_t missed);

#endif
