// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc_list - LIST and EVENTS: which devices there are, and what happens to
 * them.
 */
#include "server/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/host.h"
#include "server/status.h"

/* Seconds that EVENTS waits at most, so that dead callers are forgotten. */
#define WAIT_MAX 60

/* ---- LIST --------------------------------------------------------------- */

static usbip_state state_of(const struct device *dev, bool allowed)
{
	if (!allowed)
		return USBIP_STATE_NOT_EXPORTED;
	if (dev->holder)
		return USBIP_STATE_CLAIMED;
	return dev->info->usable ? USBIP_STATE_AVAILABLE :
				   USBIP_STATE_UNUSABLE;
}

/* Of the active configuration, or the first one. */
static bool fill_interfaces(const struct device *dev, usbip_device *out)
{
	const struct descriptors *d = &dev->info->descriptors;
	const struct descriptor_blob *config;
	struct descriptor_interface i;
	usbip_interface *list;
	unsigned int n = 0;
	struct descriptor_walk walk = { 0 };

	config = descriptors_config(d, out->configuration);
	if (!config && d->n_configs)
		config = &d->configs[0];
	list = calloc(USBIP_INTERFACES_MAX, sizeof(*list));
	if (!list)
		return false;
	while (config && n < USBIP_INTERFACES_MAX &&
	       descriptor_next_interface(config, &walk, &i)) {
		if (i.alternate)
			continue;
		list[n].number = i.number;
		list[n++].class_code = i.class_code;
	}
	out->interfaces.interfaces_len = n;
	out->interfaces.interfaces_val = list;
	return true;
}

/* false: no memory; *out is to be freed all the same. */
static bool fill_device(const struct device *dev, bool allowed,
			usbip_device *out)
{
	const struct backend_info *info = dev->info;
	const struct session *s = dev->holder;

	out->busid = strdup(info->busid);
	out->speed = status_of_speed(info->speed);
	out->vendor = descriptors_vendor(&info->descriptors);
	out->product = descriptors_product(&info->descriptors);
	out->bcd_device = descriptors_bcd_device(&info->descriptors);
	out->class_code = descriptors_class(&info->descriptors);
	out->configuration = s ? dev->configuration : info->configuration;
	out->n_configurations = info->descriptors.n_configs;
	out->manufacturer_name = strdup(info->manufacturer);
	out->product_name = strdup(info->product);
	out->serial = strdup(allowed ? info->serial : "");
	out->state = state_of(dev, allowed);
	out->claimed_by = strdup(allowed && s ? s->host : "");
	return fill_interfaces(dev, out) && out->busid &&
	       out->manufacturer_name && out->product_name && out->serial &&
	       out->claimed_by;
}

static void free_device(usbip_device *dev)
{
	xdr_free((xdrproc_t)xdr_usbip_device, (char *)dev);
	memset(dev, 0, sizeof(*dev));
}

/* As many devices as were asked for, and as fit: one at least, so that the
 * caller gets on. */
static bool fill_list(const struct target *t, struct rpcsrv_call *call,
		      const struct target_peer *peer,
		      const usbip_list_args *args, usbip_list_res *res)
{
	usbip_list_ok *list = &res->usbip_list_res_u.list;
	unsigned int max = args->count && args->count < USBIP_ENTRIES_MAX ?
			   args->count : USBIP_ENTRIES_MAX;
	unsigned int *n = &list->devices.devices_len;
	const struct device *dev;

	list->devices.devices_val = calloc(max, sizeof(usbip_device));
	if (!list->devices.devices_val)
		return false;
	list->cookie = args->cookie;
	list->eof = TRUE;
	TAILQ_FOREACH(dev, &t->devices, link) {
		if (dev->id <= args->cookie)
			continue;
		list->eof = FALSE;
		if (*n == max)
			break;
		if (!fill_device(dev, target_allows(t, dev, peer, NULL),
				 &list->devices.devices_val[(*n)++]))
			return false;
		if (*n > 1 &&
		    !proc_fits(call, (xdrproc_t)xdr_usbip_list_res, res)) {
			free_device(&list->devices.devices_val[--*n]);
			break;
		}
		list->cookie = dev->id;
		list->eof = TRUE;
	}
	return true;
}

struct kept_list {
	struct rpcsrv_call *call;
	struct target *target;
	usbip_list_args args;
};

static void reply_list(struct kept_list *kept, const struct peer_name *name)
{
	struct target *t = kept->target;
	struct target_peer peer;
	usbip_list_res res;
	usbip_list_ok *list = &res.usbip_list_res_u.list;
	char host[PROC_HOST];

	memset(&res, 0, sizeof(res));
	proc_peer(kept->call, "", name, host, &peer);
	if (!kept->args.cookie)
		target_rescan(t);
	memcpy(list->boot, t->boot, sizeof(list->boot));
	list->event = t->events.last;
	if (fill_list(t, kept->call, &peer, &kept->args, &res))
		rpcsrv_reply(kept->call, (xdrproc_t)xdr_usbip_list_res, &res,
			     NULL, NULL);
	else
		proc_reply_stat(kept->call, USBIP_DELAY);
	xdr_free((xdrproc_t)xdr_usbip_list_ok, (char *)list);
}

static void list_named(int r, const struct peer_name *name, void *user)
{
	struct kept_list *kept = user;

	if (r)
		proc_reply_stat(kept->call, USBIP_DELAY);
	else
		reply_list(kept, name);
	free(kept);
}

bool_t usbip_list_1_svc(usbip_list_args *args, usbip_list_res *res,
			struct svc_req *rq)
{
	struct kept_list *kept = calloc(1, sizeof(*kept));

	memset(res, 0, sizeof(*res));
	if (!kept) {
		res->status = USBIP_DELAY;
		return TRUE;
	}
	kept->target = proc_target(rq);
	kept->call = rpcsrv_defer(rq);
	kept->args = *args;
	proc_named(kept->target, kept->call, NULL, list_named, kept);
	return FALSE;
}

/* ---- EVENTS ------------------------------------------------------------- */

/* How many of them a reply has room for; of 44 bytes at most. */
static size_t max_events(const struct rpcsrv_call *call)
{
	const size_t one = 12 + USBIP_BUSID_MAX + 1;
	size_t room = rpcsrv_call_room(call), none = PROC_REPLY_HEADER + 16;

	if (room >= none + USBIP_EVENTS_MAX * one)
		return USBIP_EVENTS_MAX;
	return room >= none + one ? (room - none) / one : 1;
}

static void reply_events(struct rpcsrv_call *call,
			 const struct events_event *events, size_t n,
			 uint64_t last)
{
	usbip_event out[USBIP_EVENTS_MAX];
	usbip_events_res res;

	memset(&res, 0, sizeof(res));
	res.status = USBIP_OK;
	res.usbip_events_res_u.events.last = last;
	res.usbip_events_res_u.events.events.events_len = n;
	res.usbip_events_res_u.events.events.events_val = out;
	for (size_t i = 0; i < n; i++) {
		out[i].type = status_of_event(events[i].type);
		out[i].busid = (char *)events[i].busid;
		out[i].why = status_of_why(events[i].why);
	}
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_events_res, &res, NULL, NULL);
}

void proc_list_events(struct events *ev, struct events_wait *wait)
{
	struct events_event events[USBIP_EVENTS_MAX];
	uint64_t last;
	size_t n;

	n = events_get(ev, &wait->filter, wait->after, events,
		       max_events(wait->waiter), &last);
	reply_events(wait->waiter, events, n, last);
}

/* The session is over: that is the event, as often as it is asked for. */
static void reply_end(struct rpcsrv_call *call, const struct target *t,
		      const struct session *s)
{
	struct events_event event = {
		.type = EVENTS_TYPE_SESSION,
		.why = s->why,
	};

	reply_events(call, &event, 1, t->events.last);
}

/* *stat is not OK: the answer. s: what `handle` means, or NULL for 0. */
static struct session *filter_session(struct target *t, usbip_session handle,
				      struct events_filter *filter,
				      usbip_stat *stat)
{
	struct session *s;
	const struct device *dev;

	memset(filter, 0, sizeof(*filter));
	*stat = USBIP_OK;
	if (!handle)
		return NULL;
	s = target_session(t, handle);
	if (!s || s->why == SESSION_WHY_FAILED) {
		*stat = USBIP_NO_SESSION;
		return NULL;
	}
	filter->session = handle;
	dev = s->device;
	if (dev)
		strcpy(filter->busid, dev->info->busid);
	return s;
}

/* call is what this one was: it waits in its place. */
static bool supersede_copy(void *waiter, void *call)
{
	if (!rpcsrv_call_is_copy(call, waiter))
		return false;
	proc_reply_stat(waiter, USBIP_IN_PROGRESS);
	return true;
}

static void wait_events(struct rpcsrv_call *call, struct target *t,
			const struct events_filter *filter, uint64_t after,
			unsigned int seconds)
{
	if (rpcsrv_conn_is_dgram(rpcsrv_call_conn(call)))
		events_forget(&t->events, supersede_copy, call);
	if (seconds > WAIT_MAX)
		seconds = WAIT_MAX;
	if (target_wait(t, filter, after, seconds, call))
		proc_reply_stat(call, USBIP_DELAY);
}

bool_t usbip_events_1_svc(usbip_events_args *args, usbip_events_res *res,
			  struct svc_req *rq)
{
	struct target *t = proc_target(rq);
	struct events_event events[USBIP_EVENTS_MAX];
	struct events_filter filter;
	struct rpcsrv_call *call;
	struct session *s;
	uint64_t last;
	size_t n;

	memset(res, 0, sizeof(*res));
	if (!args->session && !rpcsrv_is_proved(rq)) {
		rpcsrv_deny(rq, AUTH_TOOWEAK);
		return FALSE;
	}
	s = filter_session(t, args->session, &filter, &res->status);
	filter.host = host_of(rpcsrv_conn_peer(rpcsrv_conn(rq)));
	if (res->status != USBIP_OK)
		return TRUE;
	if (s && s->why == SESSION_WHY_NONE && !proc_is_at_home(rq, s)) {
		rpcsrv_mute(rq);
		return TRUE;
	}
	call = rpcsrv_defer(rq);
	if (s && s->why != SESSION_WHY_NONE) {
		reply_end(call, t, s);
		return FALSE;
	}
	if (memcmp(args->boot, t->boot, sizeof(t->boot)))
		args->after = UINT64_MAX;	/* another boot's: LOST */
	n = events_get(&t->events, &filter, args->after, events,
		       max_events(call), &last);
	if (n || !args->wait)
		reply_events(call, events, n, last);
	else
		wait_events(call, t, &filter, last, args->wait);
	return FALSE;
}
