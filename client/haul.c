// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * haul - the data of one URB, brought to the target or from it in pieces.
 *
 * Many pieces are on their way at once; how many of them are on the wire the
 * engine decides. Each may be repeated, so whatever goes wrong with one, it is
 * sent again: after a moment where the target has no room for it, on another
 * connection where this one ends. (There it is begun anew, by calls.c.)
 */
#include "client/haul.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/pause.h"
#include "client/pieces.h"
#include "client/session.h"
#include "client/status.h"
#include "client/vhci.h"
#include "common/log.h"
#include "common/rpcclnt.h"

#define PAUSE_FIRST_MS	5
#define PAUSE_MAX_MS	500
/* So often the target's system may fail, with no piece between. */
#define TRIES_MAX	8

/* One call. */
struct load {
	struct haul *haul;
	struct piece piece;
	union {
		usbip_stat_res stage;
		usbip_fetch_res fetch;
	} res;
};

struct haul {
	struct haul_config config;
	struct pieces pieces;
	struct vhci_buf *buf;		/* IN */
	struct pause pause;		/* until more is sent */
	unsigned int tries;
	bool left;			/* by its owner */
	bool over;			/* which was told */
};

static void free_haul(struct haul *h)
{
	vhci_buf_unref(h->buf);
	pause_deinit(&h->pause);
	free(h);
}

/* The owner may leave it in here. */
static void end(struct haul *h, enum haul_end how)
{
	if (h->left || h->over)
		return;
	h->over = true;
	pause_stop(&h->pause);
	h->config.ended(how, h->config.user);
}

/* ---- sending ------------------------------------------------------------- */

static void loaded(const struct rpc_err *err, void *user);

static enum clnt_stat call_stage(struct load *load, CLIENT *clnt)
{
	const struct haul_config *c = &load->haul->config;
	usbip_stage_args args = {
		.urb = c->urb,
		.offset = load->piece.offset,
		.piece = {
			load->piece.count,
			(char *)(uintptr_t)c->out + load->piece.offset,
		},
	};

	return usbip_stage_1(&args, &load->res.stage, clnt);
}

static enum clnt_stat call_fetch(struct load *load, CLIENT *clnt)
{
	usbip_fetch_args args = {
		.urb = load->haul->config.urb,
		.offset = load->piece.offset,
		.count = load->piece.count,
	};

	return usbip_fetch_1(&args, &load->res.fetch, clnt);
}

static void pause_now(struct haul *h)
{
	if (!pause_is_on(&h->pause))
		pause_begin(&h->pause);
}

/* False: not sent. */
static bool send_piece(struct haul *h, struct rpcclnt *clnt,
		       const struct piece *piece)
{
	struct load *load = calloc(1, sizeof(*load));
	enum clnt_stat stat = RPC_SYSTEMERROR;

	if (load) {
		load->haul = h;
		load->piece = *piece;
		rpcclnt_next(clnt, 0, loaded, load);
		rpcclnt_how(clnt, RPCCLNT_PROMPT);
		if (!h->config.out)
			rpcclnt_expect(clnt, piece->count);
		stat = h->config.out ? call_stage(load, rpcclnt_handle(clnt)) :
				       call_fetch(load, rpcclnt_handle(clnt));
	}
	if (stat == RPC_SUCCESS)
		return true;
	free(load);
	/* CANTSEND: the session hears that the connection has ended. */
	if (stat != RPC_CANTSEND)
		pause_now(h);
	return false;
}

static void send_more(struct haul *h)
{
	struct rpcclnt *clnt = session_clnt(h->config.session);
	struct piece piece;

	while (clnt && !pause_is_on(&h->pause) &&
	       pieces_next(&h->pieces, &piece)) {
		if (send_piece(h, clnt, &piece))
			continue;
		pieces_arrived(&h->pieces, &piece, 0);
		break;
	}
}

static void pause_over(evutil_socket_t fd, short what, void *user)
{
	send_more(user);
}

/* ---- answers ------------------------------------------------------------- */

/* Bytes of the piece that have arrived. */
static uint32_t take(struct haul *h, const struct load *load)
{
	const usbip_fetch_res *f = &load->res.fetch;
	u_int len = f->usbip_fetch_res_u.piece.piece_len;

	if (h->config.out)
		return load->piece.count;
	if (len > load->piece.count)
		len = load->piece.count;
	if (len && !h->left)
		memcpy(h->buf->bytes + load->piece.offset,
		       f->usbip_fetch_res_u.piece.piece_val, len);
	return len;
}

/* The target has answered. Bytes of the piece that have arrived. */
static uint32_t read_answer(struct haul *h, const struct load *load)
{
	usbip_stat stat = h->config.out ? load->res.stage.status :
					  load->res.fetch.status;
	uint32_t count = 0;

	session_heard(h->config.session);
	if (h->left)
		return 0;
	if (stat == USBIP_OK)
		count = take(h, load);
	if (count) {
		pause_reset(&h->pause);
		h->tries = 0;
	} else if (status_ends_session(stat)) {
		session_end(h->config.session, stat);
	} else if (stat == USBIP_DELAY || stat == USBIP_IN_PROGRESS ||
		   (stat == USBIP_HOST_ERROR && h->tries++ < TRIES_MAX)) {
		pause_now(h);
	} else {
		log_warning("endpoint %02x #%u: a piece of data is refused: %s",
			    h->config.urb.endpoint, h->config.urb.number,
			    stat == USBIP_OK ? "it is empty" :
					       status_text(stat));
		end(h, HAUL_REFUSED);
	}
	return count;
}

static uint32_t read_end(struct haul *h, const struct load *load,
			 const struct rpc_err *err)
{
	if (err->re_status == RPC_SUCCESS)
		return read_answer(h, load);
	if (h->left || h->over)
		return 0;
	switch (err->re_status) {
	case RPC_CANTRECV:	/* the connection has ended */
		return 0;
	case RPC_CANTSEND:	/* the way has become narrower */
		end(h, HAUL_TOO_LARGE);
		return 0;
	default:
		log_warning("the target refuses a piece of data: %s",
			    clnt_sperrno(err->re_status));
		end(h, HAUL_REFUSED);
		return 0;
	}
}

static void loaded(const struct rpc_err *err, void *user)
{
	struct load *load = user;
	struct haul *h = load->haul;
	uint32_t count = read_end(h, load, err);

	if (!h->config.out)
		xdr_free((xdrproc_t)xdr_usbip_fetch_res, &load->res.fetch);
	pieces_arrived(&h->pieces, &load->piece, count);
	free(load);
	if (h->left) {
		if (!h->pieces.n_flying)
			free_haul(h);
	} else if (pieces_complete(&h->pieces)) {
		end(h, HAUL_DONE);
	} else if (!h->over) {
		send_more(h);
	}
}

/* ---- life ---------------------------------------------------------------- */

struct haul *haul_new(const struct haul_config *config)
{
	struct haul *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->config = *config;
	pieces_init(&h->pieces, config->length, config->size);
	if (!config->out)
		h->buf = vhci_buf_new(config->length);
	if ((h->buf || config->out) &&
	    !pause_init(&h->pause, config->base, PAUSE_FIRST_MS, PAUSE_MAX_MS,
			pause_over, h))
		return h;
	free_haul(h);
	return NULL;
}

void haul_begin(struct haul *h)
{
	send_more(h);
}

struct haul *haul_leave(struct haul *h)
{
	if (!h)
		return NULL;
	h->left = true;
	pause_stop(&h->pause);
	if (!h->pieces.n_flying)
		free_haul(h);
	return NULL;
}

struct vhci_buf *haul_data(const struct haul *h)
{
	return h->buf;
}
