// SPDX-License-Identifier: GPL-2.0-or-later
/* service - a service for tests of the engine, under rpcgen's dispatcher. */
#include "tests/unit/service.h"

#include <stdlib.h>
#include <string.h>

#include "common/rpcmsg.h"

/* The dispatcher, which the generated header does not declare. */
void usbip_program_1(struct svc_req *rq, SVCXPRT *xprt);

void service_fill(void *data, size_t len, uint32_t seed)
{
	uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seed * 131 + i + (i >> 8) * 7);
}

bool service_check(const void *data, size_t len, uint32_t seed)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		if (p[i] != (uint8_t)(seed * 131 + i + (i >> 8) * 7))
			return false;
	return true;
}

/* ---- BULK --------------------------------------------------------------- */

struct lent {
	struct service *s;
	char data[];
};

static void take_back(void *user)
{
	struct lent *lent = user;

	lent->s->n_lent--;
	free(lent);
}

static void answer(struct service *s, struct service_bulk *bulk)
{
	usbip_transfer_res res = { .status = USBIP_OK };
	usbip_data *data = &bulk->buffer.usbip_buffer_u.data;
	struct lent *lent = NULL;
	u_int len;

	if (bulk->buffer.type == USBIP_BUFFER_OUT) {
		if (!service_check(data->usbip_data_val, data->usbip_data_len, bulk->number))
			s->n_bad++;
		res.usbip_transfer_res_u.done.actual = data->usbip_data_len;
	} else if (bulk->buffer.usbip_buffer_u.length > s->data_max) {
		res.status = USBIP_INVAL;
	} else {
		len = bulk->buffer.usbip_buffer_u.length;
		lent = malloc(sizeof(*lent) + len);
		lent->s = s;
		s->n_lent++;
		service_fill(lent->data, len, bulk->number);
		res.status = USBIP_OK_DATA;
		data = &res.usbip_transfer_res_u.done_data.data;
		data->usbip_data_val = lent->data;
		data->usbip_data_len = len;
	}
	TAILQ_REMOVE(&s->parked, bulk, link);
	s->n_parked--;
	rpcsrv_reply(bulk->call, (xdrproc_t)xdr_usbip_transfer_res, &res,
		     lent ? take_back : NULL, lent);
	free(bulk);
}

bool service_answer(struct service *s, uint32_t number)
{
	struct service_bulk *bulk;

	TAILQ_FOREACH(bulk, &s->parked, link) {
		if (bulk->number != number)
			continue;
		answer(s, bulk);
		return true;
	}
	return false;
}

bool_t usbip_bulk_1_svc(usbip_bulk_args *args, usbip_transfer_res *res, struct svc_req *rq)
{
	struct service *s = rpcsrv_user(rq);
	struct service_bulk *bulk = calloc(1, sizeof(*bulk));

	bulk->number = args->submit.number;
	bulk->buffer = args->buffer;
	bulk->call = rpcsrv_defer(rq);
	memset(args, 0, sizeof(*args));
	memset(res, 0, sizeof(*res));
	TAILQ_INSERT_TAIL(&s->parked, bulk, link);
	s->n_parked++;
	if (s->auto_answer)
		answer(s, bulk);
	return FALSE;
}

/* ---- the others --------------------------------------------------------- */

bool_t usbip_null_1_svc(void *args, void *res, struct svc_req *rq)
{
	struct service *s = rpcsrv_user(rq);
	struct rpcmsg_sys sys;

	if (!rpcsrv_cred(rq, &sys)) {
		s->uid = sys.uid;
		memcpy(s->machine, sys.machine, sizeof(s->machine));
	}
	return TRUE;
}

bool_t usbip_renew_1_svc(usbip_renew_args *args, usbip_renew_res *res, struct svc_req *rq)
{
	struct service *s = rpcsrv_user(rq);

	memset(res, 0, sizeof(*res));
	res->usbip_renew_res_u.lease = 30;
	s->trusted = rpcsrv_conn(rq);
	rpcsrv_conn_trust(s->trusted);
	return TRUE;
}

bool service_distrust(struct service *s)
{
	return rpcsrv_conn_distrust(s->trusted);
}

bool_t usbip_control_1_svc(usbip_control_args *args, usbip_transfer_res *res, struct svc_req *rq)
{
	static char data[USBIP_CONTROL_MAX];
	usbip_done_data *done = &res->usbip_transfer_res_u.done_data;

	memset(res, 0, sizeof(*res));
	res->status = USBIP_OK_DATA;
	done->data.usbip_data_len = (uint8_t)args->setup[6] | (uint8_t)args->setup[7] << 8;
	done->data.usbip_data_val = data;
	service_fill(data, done->data.usbip_data_len, (uint8_t)args->setup[0]);
	return TRUE;
}

bool_t usbip_events_1_svc(usbip_events_args *args, usbip_events_res *res, struct svc_req *rq)
{
	struct rpcsrv_call *call = rpcsrv_defer(rq);
	usbip_events_res now = { .status = USBIP_OK };

	memset(res, 0, sizeof(*res));
	now.usbip_events_res_u.events.last = args->after;
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_events_res, &now, NULL, NULL);
	return FALSE;
}

bool_t usbip_release_1_svc(usbip_session_args *args, usbip_stat_res *res, struct svc_req *rq)
{
	memset(res, 0, sizeof(*res));
	return FALSE;
}

bool_t usbip_unlink_1_svc(usbip_urb *args, usbip_stat_res *res, struct svc_req *rq)
{
	res->status = USBIP_OK;
	rpcsrv_conn_close(rpcsrv_conn(rq));
	return TRUE;
}

bool_t usbip_fetch_1_svc(usbip_fetch_args *args, usbip_fetch_res *res, struct svc_req *rq)
{
	struct rpcsrv_call *call = rpcsrv_defer(rq);
	usbip_fetch_res huge = { .status = USBIP_OK };

	memset(res, 0, sizeof(*res));
	huge.usbip_fetch_res_u.piece.piece_len = USBIP_PIECE_MAX + 1;
	rpcsrv_reply(call, (xdrproc_t)xdr_usbip_fetch_res, &huge, NULL, NULL);
	return FALSE;
}

#define UNAVAILABLE(name, args_type, res_type)				\
	bool_t usbip_##name##_1_svc(args_type *args, res_type *res,	\
				    struct svc_req *rq)			\
	{								\
		memset(res, 0, sizeof(*res));				\
		svcerr_noproc(rq->rq_xprt);				\
		return FALSE;						\
	}

UNAVAILABLE(list, usbip_list_args, usbip_list_res)
UNAVAILABLE(claim, usbip_claim_args, usbip_claim_res)
UNAVAILABLE(interrupt, usbip_interrupt_args, usbip_transfer_res)
UNAVAILABLE(isoc, usbip_isoc_args, usbip_isoc_res)
UNAVAILABLE(set_configuration, usbip_set_configuration_args, usbip_state_res)
UNAVAILABLE(set_interface, usbip_set_interface_args, usbip_state_res)
UNAVAILABLE(clear_halt, usbip_clear_halt_args, usbip_state_res)
UNAVAILABLE(reset, usbip_reset_args, usbip_state_res)
UNAVAILABLE(alloc_streams, usbip_streams_args, usbip_state_res)
UNAVAILABLE(free_streams, usbip_streams_args, usbip_state_res)
UNAVAILABLE(suspend, usbip_suspend_args, usbip_state_res)
UNAVAILABLE(resume, usbip_suspend_args, usbip_state_res)
UNAVAILABLE(stage, usbip_stage_args, usbip_stat_res)

int usbip_program_1_freeresult(SVCXPRT *xprt, xdrproc_t xdr_res, caddr_t res)
{
	xdr_free(xdr_res, res);
	return TRUE;
}

/* ---- the service -------------------------------------------------------- */

static void count_closed(struct rpcsrv_conn *conn, void *user)
{
	struct service *s = user;

	s->n_closed++;
}

struct rpcsrv_config service_config(struct service *s, struct event_base *base)
{
	struct rpcsrv_config config = {
		.base = base,
		.prog = USBIP_PROGRAM,
		.vers_low = USBIP_V1,
		.vers_high = USBIP_V1,
		.dispatch = usbip_program_1,
		.conn_closed = count_closed,
		.user = s,
	};

	rpcsrv_limits_default(&config.limits, USBIP_DATA_MAX + USBIP_RECORD_EXTRA);
	return config;
}

int service_init(struct service *s, const struct rpcsrv_config *config)
{
	memset(s, 0, sizeof(*s));
	TAILQ_INIT(&s->parked);
	s->data_max = USBIP_DATA_MAX;
	return rpcsrv_new(&s->srv, config);
}

void service_deinit(struct service *s)
{
	struct service_bulk *bulk;

	s->srv = rpcsrv_free(s->srv);
	while ((bulk = TAILQ_FIRST(&s->parked))) {
		TAILQ_REMOVE(&s->parked, bulk, link);
		free(bulk);
	}
}
