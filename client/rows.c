// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows - the rows of numbers of an attached device.
 *
 * A stream that was granted once keeps its row, and its numbers, when it is
 * freed and allocated again. The row is made when it is first used.
 */
#include "client/rows.h"

#include <errno.h>
#include <stdlib.h>

static struct row *of_endpoint(struct rows *rows, uint8_t endpoint)
{
	return &rows->endpoints[(endpoint & USB_ENDPOINT_NUMBER) |
				(endpoint & USB_DIR_IN ? 16 : 0)];
}

static void add_row(struct rows *rows, struct row *row, uint8_t endpoint,
		    uint16_t stream)
{
	row->endpoint = endpoint;
	row->stream = stream;
	row->next = 1;
	TAILQ_INIT(&row->waiting);
	TAILQ_INIT(&row->flying);
	isoc_row_init(&row->isoc);
	STAILQ_INSERT_TAIL(&rows->all, row, link);
	if (stream)
		SLIST_INSERT_HEAD(&rows->streams[stream % ROWS_BUCKETS], row,
				  by_stream);
}

void rows_init(struct rows *rows)
{
	STAILQ_INIT(&rows->all);
	for (unsigned int i = 0; i < ROWS_ENDPOINTS; i++)
		add_row(rows, &rows->endpoints[i],
			(uint8_t)(i < 16 ? i : (i - 16) | USB_DIR_IN), 0);
}

static void free_urbs(struct urb_list *urbs)
{
	struct urb *urb;

	while ((urb = TAILQ_FIRST(urbs))) {
		TAILQ_REMOVE(urbs, urb, link);
		urb_free(urb);
	}
}

void rows_deinit(struct rows *rows)
{
	struct row *row, *next;

	for (row = STAILQ_FIRST(&rows->all); row; row = next) {
		next = STAILQ_NEXT(row, link);
		free_urbs(&row->waiting);
		free_urbs(&row->flying);
		isoc_row_deinit(&row->isoc);
		if (row->stream)
			free(row);
	}
}

struct row *rows_find(struct rows *rows, uint8_t endpoint, uint16_t stream)
{
	struct row *row;

	if (!stream)
		return of_endpoint(rows, endpoint);
	SLIST_FOREACH(row, &rows->streams[stream % ROWS_BUCKETS], by_stream)
		if (row->stream == stream && row->endpoint == endpoint)
			break;
	return row;
}

int rows_make(struct rows *rows, uint8_t endpoint, uint16_t stream)
{
	struct row *row = rows_find(rows, endpoint, stream);

	if (row)
		return 0;
	if (stream > of_endpoint(rows, endpoint)->n_streams)
		return -EINVAL;
	row = calloc(1, sizeof(*row));
	if (!row)
		return -ENOMEM;
	add_row(rows, row, endpoint, stream);
	return 0;
}

void rows_grant(struct rows *rows, uint32_t endpoints, uint16_t streams)
{
	for (unsigned int i = 1; i < ROWS_ENDPOINTS; i++)
		if (endpoints & (1U << i) &&
		    rows->endpoints[i].n_streams < streams)
			rows->endpoints[i].n_streams = streams;
}
