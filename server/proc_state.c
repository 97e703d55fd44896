// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc_state - SET_CONFIGURATION, SET_INTERFACE, CLEAR_HALT, RESET,
 * ALLOC_STREAMS, FREE_STREAMS, SUSPEND and RESUME: calls that are numbered in
 * endpoint 0's row. They are answered by proc_urb_ended(), as transfers without
 * data.
 */
#include "server/proc.h"

#include <string.h>

#include "server/urb.h"

/* 65534 and 65535 mean something else to USB 3 (8.12.1.4). */
#define STREAMS_MAX 65533

/* The arguments, as enum urb_type says; verdict: on them. */
struct state_call {
	enum urb_type type;
	unsigned int value, index;
	uint32_t rows;
	enum urb_verdict verdict;
};

static bool_t submit_call(struct svc_req *rq, const usbip_submit *submit,
			  const struct state_call *call, usbip_state_res *res)
{
	struct session *s;
	struct urb *urb;

	memset(res, 0, sizeof(*res));
	s = proc_session(rq, submit->session, &res->status);
	if (!s)
		return TRUE;
	urb = urb_new_in(&proc_target(rq)->urbs);
	if (urb) {
		urb->type = call->type;
		urb->value = call->value;
		urb->index = call->index;
		urb->rows = call->rows;
		urb->verdict = submit->pipe ? URB_VERDICT_INVAL : call->verdict;
	}
	proc_submit(rq, s, submit, 0, urb);
	return FALSE;
}

/* valid: do value and index make sense? */
static bool_t submit_state(struct svc_req *rq, enum urb_type type,
			   const usbip_submit *submit, unsigned int value,
			   unsigned int index, bool valid, usbip_state_res *res)
{
	const struct state_call call = {
		.type = type,
		.value = value,
		.index = index,
		.verdict = valid ? URB_VERDICT_TAKEN : URB_VERDICT_INVAL,
	};

	return submit_call(rq, submit, &call, res);
}

bool_t usbip_set_configuration_1_svc(usbip_set_configuration_args *args,
				     usbip_state_res *res, struct svc_req *rq)
{
	return submit_state(rq, URB_TYPE_SET_CONFIGURATION, &args->submit,
			    args->configuration, 0, args->configuration <= 255,
			    res);
}

bool_t usbip_set_interface_1_svc(usbip_set_interface_args *args,
				 usbip_state_res *res, struct svc_req *rq)
{
	unsigned int number = args->interface_number;
	bool valid = number < DESCRIPTOR_INTERFACES_MAX &&
		     args->alternate <= 255;

	return submit_state(rq, URB_TYPE_SET_INTERFACE, &args->submit,
			    args->alternate, number, valid, res);
}

bool_t usbip_clear_halt_1_svc(usbip_clear_halt_args *args, usbip_state_res *res,
			      struct svc_req *rq)
{
	return submit_state(rq, URB_TYPE_CLEAR_HALT, &args->submit,
			    args->endpoint, 0, endpoint_row(args->endpoint) > 0,
			    res);
}

bool_t usbip_reset_1_svc(usbip_reset_args *args, usbip_state_res *res,
			 struct svc_req *rq)
{
	return submit_state(rq, URB_TYPE_RESET, &args->submit, 0, 0, true, res);
}

static bool_t submit_streams(struct svc_req *rq, enum urb_type type,
			     usbip_streams_args *args, usbip_state_res *res)
{
	struct state_call call = {
		.type = type,
		.value = args->streams,
	};
	bool valid = args->endpoints.endpoints_len > 0;
	const usbip_submit submit = args->submit;

	for (unsigned int i = 0; i < args->endpoints.endpoints_len; i++) {
		int row = endpoint_row(args->endpoints.endpoints_val[i]);

		if (row > 0)
			call.rows |= 1u << row;
		else
			valid = false;
	}
	if (type == URB_TYPE_ALLOC_STREAMS)
		valid &= args->streams && args->streams <= STREAMS_MAX;
	else
		valid &= !args->streams;
	if (!valid)
		call.verdict = URB_VERDICT_INVAL;
	xdr_free((xdrproc_t)xdr_usbip_streams_args, (char *)args);
	return submit_call(rq, &submit, &call, res);
}

bool_t usbip_alloc_streams_1_svc(usbip_streams_args *args, usbip_state_res *res,
				 struct svc_req *rq)
{
	return submit_streams(rq, URB_TYPE_ALLOC_STREAMS, args, res);
}

bool_t usbip_free_streams_1_svc(usbip_streams_args *args, usbip_state_res *res,
				struct svc_req *rq)
{
	return submit_streams(rq, URB_TYPE_FREE_STREAMS, args, res);
}

/*
 * Remote wakeup can not be had from usbfs: that the device may sleep does not
 * say that it does, which is decided by this system, later or never. Between
 * the last interrupt transfer and a sleep from which it could signal, what it
 * has to say would be lost.
 */
bool_t usbip_suspend_1_svc(usbip_suspend_args *args, usbip_state_res *res,
			   struct svc_req *rq)
{
	const struct state_call call = {
		.type = URB_TYPE_SUSPEND,
		.verdict = args->remote_wakeup ? URB_VERDICT_NOT_SUPPORTED :
						 URB_VERDICT_TAKEN,
	};

	return submit_call(rq, &args->submit, &call, res);
}

bool_t usbip_resume_1_svc(usbip_suspend_args *args, usbip_state_res *res,
			  struct svc_req *rq)
{
	return submit_state(rq, URB_TYPE_RESUME, &args->submit, 0, 0, true,
			    res);
}
