// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vhci - the buffers that requests of the kernel are read into.
 */
#include "client/vhci.h"

#include <assert.h>
#include <stdlib.h>

struct vhci_buf *vhci_buf_new(size_t size)
{
	struct vhci_buf *buf = malloc(sizeof(*buf) + size);

	if (!buf)
		return NULL;
	buf->refs = 1;
	buf->size = size;
	return buf;
}

struct vhci_buf *vhci_buf_ref(struct vhci_buf *buf)
{
	buf->refs++;
	return buf;
}

struct vhci_buf *vhci_buf_unref(struct vhci_buf *buf)
{
	if (!buf)
		return NULL;
	assert(buf->refs);
	if (!--buf->refs)
		free(buf);
	return NULL;
}
