/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ctl` and the broker say to each other over the Unix socket: JSON objects, one a line
 * (newline-terminated, no newline inside).
 *
 *   request   {"version":1,"command":"client list","arguments":{"prefix":"car/","limit":10}}
 *   response  {"rows":[{...},...]}            any number of pages
 *             {"version":1,"exit":0}                            or
 *             {"version":1,"exit":4,"error":"no client ..."}    the last line
 *
 * Commands, arguments and the keys of rows are those of commands.h. `exit` is what ctl exits with;
 * "note" beside it is a remark for people. Requests of one connection are answered one after the
 * other.
 */
#ifndef LINEMQ_CONTROL_ADMIN_PROTOCOL_H
#define LINEMQ_CONTROL_ADMIN_PROTOCOL_H

enum { PROTOCOL_VERSION = 1 };

/* Largest request line, and largest payload that fits in one (it travels as base64), bytes. */
enum { PROTOCOL_REQUEST_MAX = 2 << 20, PROTOCOL_PAYLOAD_MAX = 1 << 20 };

/* The command line's exit codes. */
enum protocol_exit {
    PROTOCOL_OK = 0,
    PROTOCOL_FAILED = 1,
    PROTOCOL_USAGE = 2,
    PROTOCOL_UNREACHABLE = 3, /* ctl only: no broker on the socket */
    PROTOCOL_NOT_FOUND = 4,
};

#define PROTOCOL_SOCKET             "/run/linemq/ctl.sock"
#define PROTOCOL_SOCKET_ENVIRONMENT "LINEMQ_SOCKET"

#endif
