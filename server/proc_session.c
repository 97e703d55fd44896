// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc_session - CLAIM, RELEASE and RENEW.
 */
#include "server/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "server/status.h"

/* ---- CLAIM -------------------------------------------------------------- */

static void fill_descriptors(const struct descriptors *d, usbip_claim_ok *ok,
			     usbip_descriptor *configs)
{
	memcpy(ok->device, d->device, sizeof(ok->device));
	for (unsigned int i = 0; i < d->n_configs; i++) {
		configs[i].usbip_descriptor_len = d->configs[i].len;
		configs[i].usbip_descriptor_val = (char *)d->configs[i].data;
	}
	ok->configs.configs_len = d->n_configs;
	ok->configs.configs_val = configs;
	ok->bos.usbip_descriptor_len = d->bos.len;
	ok->bos.usbip_descriptor_val = (char *)d->bos.data;
}

static void reply_claim(struct rpcsrv_call *call, struct session *s)
{
	const struct target *t = s->sessions->user;
	const struct device *dev = s->device;
	usbip_descriptor configs[USBIP_CONFIGS_MAX];
	usbip_claim_ok *ok;
	usbip_claim_res res;

	memset(&res, 0, sizeof(res));
	res.status = USBIP_OK;
	ok = &res.usbip_claim_res_u.claim;
	ok->session = s->handle;
	memcpy(ok->boot, t->boot, sizeof(ok->boot));
	ok->event = t->events.last;
	ok->lease = s->lease;
	ok->window_urbs = s->window.max_urbs;
	ok->window_bytes = s->window.max_bytes;
	ok->data_max = USBIP_DATA_MAX;
	ok->busid = (char *)dev->info->busid;
	ok->speed = status_of_speed(dev->info->speed);
	ok->configuration = dev->configuration;
	fill_descriptors(&dev->info->descriptors, ok, configs);
	if (!proc_fits(call, (xdrproc_t)xdr_usbip_claim_res, &res)) {
		ok->configs.configs_len = 0;	/* by FETCH, then */
		ok->bos.usbip_descriptor_len = 0;
	}
	if (rpcsrv_conn_is_open(rpcsrv_call_conn(call)))
		proc_come_home(s, rpcsrv_call_conn(call));
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_claim_res, &res, NULL, NULL);
}

static void reply_busy(struct rpcsrv_call *call, const char *host,
		       unsigned int since)
{
	usbip_claim_res res;

	memset(&res, 0, sizeof(res));
	res.status = USBIP_BUSY;
	res.usbip_claim_res_u.holder.host = (char *)host;
	res.usbip_claim_res_u.holder.since = since;
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_claim_res, &res, NULL, NULL);
}

static void reply_ambiguous(struct rpcsrv_call *call, struct target *t,
			    const char *name, const struct target_peer *peer)
{
	usbip_busid candidates[USBIP_CANDIDATES_MAX];
	const struct device *dev;
	usbip_claim_res res;
	unsigned int n = 0;

	TAILQ_FOREACH(dev, &t->devices, link)
		if (n < USBIP_CANDIDATES_MAX && target_is_named(dev, name) &&
		    target_allows(t, dev, peer, NULL))
			candidates[n++] = (char *)dev->info->busid;
	memset(&res, 0, sizeof(res));
	res.status = USBIP_AMBIGUOUS;
	res.usbip_claim_res_u.candidates.candidates_len = n;
	res.usbip_claim_res_u.candidates.candidates_val = candidates;
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_claim_res, &res, NULL, NULL);
}

void proc_session_claimed(void *call, struct session *s, int r)
{
	if (r == -EBUSY)
		reply_busy(call, "the target itself (mounted there?)", 0);
	else if (r == -ENODEV)
		proc_reply_stat(call, USBIP_NO_DEVICE);
	else if (r)
		proc_reply_stat(call, USBIP_HOST_ERROR);
	else if (s->state != SESSION_STATE_ACTIVE)
		proc_reply_stat(call, status_of_why(s->why));
	else
		reply_claim(call, s);
}

static void log_refusal(struct target *t, const char *device,
			const struct target_peer *peer)
{
	unsigned int unsaid;

	if (!refusals_note(&t->refusals, peer->addr, target_now(), &unsaid))
		return;
	if (unsaid)
		log_info("%u refusals were not logged", unsaid);
	log_info("%s was refused %s: no line of the exports file allows it",
		 peer->host, device);
}

static void claim(struct rpcsrv_call *call, struct target *t,
		  const usbip_claim_args *args, const struct target_peer *peer)
{
	struct session *s = NULL;

	switch (target_claim(t, args->device, (const uint8_t *)args->instance,
			     peer, call, &s)) {
	case TARGET_CLAIM_PENDING:
		return;
	case TARGET_CLAIM_HELD:
		reply_claim(call, s);
		return;
	case TARGET_CLAIM_NO_DEVICE:
		proc_reply_stat(call, USBIP_NO_DEVICE);
		return;
	case TARGET_CLAIM_AMBIGUOUS:
		reply_ambiguous(call, t, args->device, peer);
		return;
	case TARGET_CLAIM_NO_PERMISSION:
		log_refusal(t, args->device, peer);
		proc_reply_stat(call, USBIP_NO_PERMISSION);
		return;
	case TARGET_CLAIM_BUSY:
		reply_busy(call, s->host, (target_now() - s->since) / 1000);
		return;
	case TARGET_CLAIM_NO_ROOM:
		proc_reply_stat(call, USBIP_DELAY);
		return;
	case TARGET_CLAIM_FAILED:
		proc_reply_stat(call, USBIP_HOST_ERROR);
		return;
	}
}

struct kept_claim {
	struct rpcsrv_call *call;
	struct target *target;
	usbip_claim_args args;
};

static void claim_named(int r, const struct peer_name *name, void *user)
{
	struct kept_claim *kept = user;
	struct target_peer peer;
	char host[PROC_HOST];

	if (!rpcsrv_conn_is_open(rpcsrv_call_conn(kept->call))) {
		rpcsrv_drop(kept->call);	/* nobody waits for it */
	} else if (r) {
		proc_reply_stat(kept->call, USBIP_DELAY);
	} else {
		proc_peer(kept->call, kept->args.host, name, host, &peer);
		claim(kept->call, kept->target, &kept->args, &peer);
	}
	xdr_free((xdrproc_t)xdr_usbip_claim_args, (char *)&kept->args);
	free(kept);
}

bool_t usbip_claim_1_svc(usbip_claim_args *args, usbip_claim_res *res,
			 struct svc_req *rq)
{
	struct kept_claim *kept;

	memset(res, 0, sizeof(*res));
	if (args->flags || !*args->device) {
		res->status = USBIP_INVAL;
		return TRUE;
	}
	kept = calloc(1, sizeof(*kept));
	if (!kept) {
		res->status = USBIP_DELAY;
		return TRUE;
	}
	kept->target = proc_target(rq);
	kept->call = rpcsrv_defer(rq);
	kept->args = *args;	/* with what it points to */
	memset(args, 0, sizeof(*args));
	proc_named(kept->target, kept->call, kept->args.device, claim_named,
		   kept);
	return FALSE;
}

/* ---- RELEASE ------------------------------------------------------------ */

void proc_session_released(void *call)
{
	proc_reply_stat(call, USBIP_OK);
}

bool_t usbip_release_1_svc(usbip_session_args *args, usbip_stat_res *res,
			   struct svc_req *rq)
{
	struct session *s;

	s = target_session(proc_target(rq), args->session);
	/* it came before, and is not answered yet: this one waits instead */
	if (!s || s->why != SESSION_WHY_RELEASED || !s->waiter)
		s = proc_session(rq, args->session, &res->status);
	if (!s)
		return TRUE;
	target_release(proc_target(rq), s, rpcsrv_defer(rq));
	return FALSE;
}

/* ---- RENEW -------------------------------------------------------------- */

bool_t usbip_renew_1_svc(usbip_renew_args *args, usbip_renew_res *res,
			 struct svc_req *rq)
{
	struct session *s;

	memset(res, 0, sizeof(*res));
	s = proc_session_anywhere(rq, args->session, &res->status);
	if (!s)
		return TRUE;
	for (unsigned int i = 0; i < args->acks.acks_len; i++)
		if (endpoint_row(args->acks.acks_val[i].endpoint & 0xffff) < 0) {
			res->status = USBIP_INVAL;
			return TRUE;
		}
	proc_come_home(s, rpcsrv_conn(rq));
	for (unsigned int i = 0; i < args->acks.acks_len; i++) {
		const usbip_ack *ack = &args->acks.acks_val[i];

		session_ack(s, endpoint_row(ack->endpoint & 0xffff),
			    ack->endpoint >> USBIP_PIPE_STREAM_SHIFT,
			    ack->acked);
	}
	res->status = USBIP_OK;
	res->usbip_renew_res_u.lease = s->lease;
	return TRUE;
}
