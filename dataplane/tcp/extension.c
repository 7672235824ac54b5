/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/extension.h"

#include <string.h>

#include "dataplane/tcp/stack.h"

struct tcp_extension *extension_attach(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (extension)
        return extension;
    extension = slab_alloc(&tcp->extensions);
    if (!extension)
        return NULL;
    /* In parts: for the whole the compiler takes an instruction that costs more than the rest of
     * this function. */
    memset(extension, 0, offsetof(struct tcp_extension, rack));
    extension->prr = (struct prr){0};
    extension->undo = (struct undo){0};
    extension->cubic = (struct cubic){0};
    extension->recover = conn->snd_una - 1;
    extension->stalled = fast_tick(tcp);
    rack_init(&extension->rack, conn->srtt);
    scoreboard_init(&extension->sent, conn->snd_una);
    conn->extension = arena_ref(tcp->base, extension);
    return extension;
}

void extension_drop(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (!extension)
        return;
    if (extension->in.first)
        reassembly_clear(&extension->in, tcp->pool);
    if (extension->sent.more)
        scoreboard_clear(&extension->sent, &tcp->sent_memory);
    slab_free(&tcp->extensions, extension);
    conn->extension = 0;
}

void extension_detach_idle(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (extension && conn->snd_una == conn_send_limit(conn) && extension->in.chunks == 0 &&
        !(extension->flags & (EXTENSION_FIN | EXTENSION_TWICE)))
        extension_drop(tcp, conn);
}
