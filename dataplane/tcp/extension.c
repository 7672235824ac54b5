/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/extension.h"

#include "dataplane/tcp/stack.h"

struct tcp_extension *extension_attach(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (extension)
        return extension;
    extension = slab_alloc(&tcp->extensions);
    if (!extension)
        return NULL;
    *extension = (struct tcp_extension){
        .recover = conn->snd_una - 1,
        .stalled = fast_tick(tcp),
    };
    conn->extension = arena_ref(tcp->base, extension);
    return extension;
}

void extension_drop(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (!extension)
        return;
    reassembly_clear(&extension->in, tcp->pool);
    slab_free(&tcp->extensions, extension);
    conn->extension = 0;
}

void extension_detach_idle(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (extension && conn->snd_una == conn_send_limit(conn) && extension->in.chunks == 0 &&
        !(extension->flags & EXTENSION_FIN))
        extension_drop(tcp, conn);
}
