/* SPDX-License-Identifier: Apache-2.0 */
/* libuv, beside our own TCP: its header brings in the kernel's struct tcp_info under that name. */
#ifndef LINEMQ_CONTROL_LOOP_H
#define LINEMQ_CONTROL_LOOP_H

#define tcp_info kernel_tcp_info
#include <uv.h>
#undef tcp_info

#endif
