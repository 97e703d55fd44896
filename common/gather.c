// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gather - a message being encoded, and then waiting to be sent.
 *
 * The copied bytes stand in one buffer that may move while it grows; so a
 * reference is kept with its place in that buffer, and pieces with addresses
 * are made when they are sent.
 */
#include "common/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <arpa/inet.h>

#include "common/pool.h"

#define LAST_FRAGMENT 0x80000000u

struct gather *gather_new(struct pool *pool, bool by_ref)
{
	struct gather *g = pool ? pool_take(pool) : malloc(sizeof(*g));

	if (!g)
		return NULL;
	g->pool = pool;
	g->head = g->first;
	g->head_size = sizeof(g->first);
	g->by_ref = by_ref;
	g->release = NULL;
	gather_reset(g);
	return g;
}

/* Payloads are no longer needed, which is said once. */
static void release_refs(struct gather *g)
{
	void (*release)(void *) = g->release;

	g->n_refs = 0;
	g->release = NULL;
	if (release)
		release(g->user);
}

struct gather *gather_free(struct gather *g)
{
	if (!g)
		return NULL;
	release_refs(g);
	if (g->head != g->first)
		free(g->head);
	if (g->pool)
		pool_give(g->pool, g);
	else
		free(g);
	return NULL;
}

void gather_reset(struct gather *g)
{
	g->head_len = GATHER_MARK;
	g->n_refs = 0;
}

/* Make head hold `need` bytes. Not inlined: it is seldom needed, and what
 * calls it is called for every word. */
__attribute__((noinline)) static bool enlarge(struct gather *g, size_t need)
{
	size_t size = need > 2 * g->head_size ? need : 2 * g->head_size;
	uint8_t *head = realloc(g->head == g->first ? NULL : g->head, size);

	if (!head)
		return false;
	if (g->head == g->first)
		memcpy(head, g->first, g->head_len);
	g->head = head;
	g->head_size = size;
	return true;
}

/* Room for len more bytes at the end of head, which they belong to already;
 * NULL: out of memory. */
static uint8_t *extend(struct gather *g, size_t len)
{
	size_t need = g->head_len + len;

	if (need > g->head_size && !enlarge(g, need))
		return NULL;
	g->head_len = need;
	return g->head + need - len;
}

static bool_t refuse_getlong(XDR *xdrs, long *value)
{
	return FALSE;
}

static bool_t refuse_getbytes(XDR *xdrs, char *data, u_int len)
{
	return FALSE;
}

static bool_t put_long(XDR *xdrs, const long *value)
{
	uint32_t wire = htonl((uint32_t)*value);
	struct gather *g = xdrs->x_private;
	uint8_t *to = g->head + g->head_len;

	/* This is what most of encoding is. */
	if (g->head_size - g->head_len >= sizeof(wire)) {
		g->head_len += sizeof(wire);
	} else {
		to = extend(g, sizeof(wire));
		if (!to)
			return FALSE;
	}
	memcpy(to, &wire, sizeof(wire));
	return TRUE;
}

static bool_t put_bytes(XDR *xdrs, const char *data, u_int len)
{
	uint8_t *to = extend(xdrs->x_private, len);

	if (!to)
		return FALSE;
	if (len)
		memcpy(to, data, len);
	return TRUE;
}

static u_int position(XDR *xdrs)
{
	return gather_len(xdrs->x_private) - GATHER_MARK;
}

static bool_t refuse_position(XDR *xdrs, u_int pos)
{
	return FALSE;
}

/* Bytes for the caller to fill before anything else is encoded. All that is
 * ever put is a multiple of four, so they are aligned. */
static int32_t *lend(XDR *xdrs, u_int len)
{
	struct gather *g = xdrs->x_private;

	return g->head_len % 4 ? NULL : (int32_t *)(void *)extend(g, len);
}

static void keep(XDR *xdrs)
{
}

static bool_t refuse_control(XDR *xdrs, int request, void *info)
{
	return FALSE;
}

static const struct xdr_ops gather_ops = {
	.x_getlong = refuse_getlong,
	.x_putlong = put_long,
	.x_getbytes = refuse_getbytes,
	.x_putbytes = put_bytes,
	.x_getpostn = position,
	.x_setpostn = refuse_position,
	.x_inline = lend,
	.x_destroy = keep,
	.x_control = refuse_control,
};

void gather_xdr(struct gather *g, XDR *xdrs)
{
	memset(xdrs, 0, sizeof(*xdrs));
	xdrs->x_op = XDR_ENCODE;
	xdrs->x_ops = &gather_ops;
	xdrs->x_private = g;
}

bool_t gather_ref(XDR *xdrs, const void *data, size_t len)
{
	struct gather *g = xdrs->x_private;

	if (xdrs->x_ops != &gather_ops || !g->by_ref ||
	    g->n_refs == GATHER_REFS)
		return FALSE;
	g->refs[g->n_refs++] = (struct gather_ref){ data, len, g->head_len };
	return TRUE;
}

int gather_finish(struct gather *g)
{
	size_t len = gather_len(g) - GATHER_MARK;
	uint32_t mark;

	if (len >= LAST_FRAGMENT)
		return -EMSGSIZE;
	mark = htonl(LAST_FRAGMENT | (uint32_t)len);
	memcpy(g->head, &mark, sizeof(mark));
	return 0;
}

int gather_replace(struct gather *g, size_t at, size_t old, const void *data,
		   size_t len)
{
	size_t behind = g->head_len - at - old;

	if (len > old && !extend(g, len - old))
		return -ENOMEM;
	memmove(g->head + at + len, g->head + at + old, behind);
	memcpy(g->head + at, data, len);
	g->head_len = at + len + behind;
	for (unsigned int i = 0; i < g->n_refs; i++)
		g->refs[i].at = g->refs[i].at + len - old;
	return 0;
}

size_t gather_len(const struct gather *g)
{
	size_t len = g->head_len;

	for (unsigned int i = 0; i < g->n_refs; i++)
		len += g->refs[i].len;
	return len;
}

/* Add a piece, but for its first *skip bytes, which are taken off there. */
static int add_piece(struct iovec *iov, const void *data, size_t len,
		     size_t *skip)
{
	if (*skip >= len) {
		*skip -= len;
		return 0;
	}
	iov->iov_base = (uint8_t *)data + *skip;
	iov->iov_len = len - *skip;
	*skip = 0;
	return 1;
}

int gather_iovec(const struct gather *g, size_t skip, struct iovec *iov, int n)
{
	size_t at = 0;
	int count = 0;

	for (unsigned int i = 0; i < g->n_refs && count < n; i++) {
		const struct gather_ref *ref = &g->refs[i];

		count += add_piece(&iov[count], g->head + at, ref->at - at,
				   &skip);
		at = ref->at;
		if (count < n)
			count += add_piece(&iov[count], ref->data, ref->len,
					   &skip);
		else
			return count;
	}
	if (count < n)
		count += add_piece(&iov[count], g->head + at, g->head_len - at,
				   &skip);
	return count;
}

int gather_detach(struct gather *g)
{
	size_t len = gather_len(g), done = 0;
	struct iovec iov[2 * GATHER_REFS + 1];
	uint8_t *head;
	int n;

	if (g->n_refs) {
		head = malloc(len);
		if (!head)
			return -ENOMEM;
		n = gather_iovec(g, 0, iov, 2 * GATHER_REFS + 1);
		for (int i = 0; i < n; i++) {
			memcpy(head + done, iov[i].iov_base, iov[i].iov_len);
			done += iov[i].iov_len;
		}
		if (g->head != g->first)
			free(g->head);
		g->head = head;
		g->head_len = g->head_size = len;
	}
	release_refs(g);
	return 0;
}
