/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gather - a message being encoded, and then waiting to be sent.
 *
 * What XDR routines write is collected in a buffer; payloads can be taken by
 * reference instead (gather_ref()), wherever they stand in the message. The
 * result is a list of pieces for writev(), record mark included.
 */
#ifndef USBIP_COMMON_GATHER_H
#define USBIP_COMMON_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <rpc/rpc.h>

struct iovec;
struct pool;

/* Shorter payloads are copied: that is cheaper than one more piece. */
#define GATHER_REF_MIN 4096
/* Bytes of the record mark, which a datagram goes without. */
#define GATHER_MARK 4
/* Payloads by reference in one message; more are copied. */
#define GATHER_REFS 2

struct gather {
	STAILQ_ENTRY(gather) link;	/* of the queue that it waits in */
	struct pool *pool;		/* that it goes back to, or NULL */

	uint8_t *head;			/* the copied bytes, mark first */
	size_t head_len, head_size;
	struct gather_ref {
		const void *data;
		size_t len;
		size_t at;		/* behind this many bytes of head */
	} refs[GATHER_REFS];
	unsigned int n_refs;
	bool by_ref;			/* gather_ref() may refer */

	void (*release)(void *user);	/* payloads are no longer needed */
	void *user;
	/* Head, while it fits: a header, and a packet of 512 bytes. */
	uint8_t first[800];
};

STAILQ_HEAD(gather_queue, gather);

/* A message with nothing but its mark, out of a pool of gathers if that is not
 * NULL. NULL: out of memory. by_ref: payloads outlive the encoding, until
 * gather_free() calls release. */
struct gather *gather_new(struct pool *pool, bool by_ref);
/* Calls release, if there is one. Returns NULL. NULL is fine. */
struct gather *gather_free(struct gather *g);

/* Encode into g by xdrs. Nothing has to be destroyed afterwards. */
void gather_xdr(struct gather *g, XDR *xdrs);
/* Take len bytes by reference. FALSE: not here (another kind of xdrs, or g
 * copies): encode them in the ordinary way. */
bool_t gather_ref(XDR *xdrs, const void *data, size_t len);
/* Begin again behind the mark, with payloads forgotten. */
void gather_reset(struct gather *g);
/* Write the mark. -EMSGSIZE: no fragment can be that long. */
int gather_finish(struct gather *g);

/* Put `data` in the place of the old bytes of head that begin at `at`, which
 * are copied ones and before all payloads. -ENOMEM: nothing was changed. */
int gather_replace(struct gather *g, size_t at, size_t old, const void *data,
		   size_t len);
/* Bytes in all, mark included. */
size_t gather_len(const struct gather *g);
/* The pieces from byte `skip` on, n at most; returns how many there are. */
int gather_iovec(const struct gather *g, size_t skip, struct iovec *iov, int n);
/* Copy payloads, and call release now. -ENOMEM: nothing was changed. */
int gather_detach(struct gather *g);

#endif
