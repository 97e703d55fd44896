// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proc_state - SET_CONFIGURATION, SET_INTERFACE, CLEAR_HALT, RESET, SUSPEND and
 * RESUME: calls that are numbered in endpoint 0's row. They are answered by
 * proc_urb_ended(), as transfers without data.
 */
#include "server/proc.h"

#include <string.h>

#include "server/urb.h"

/* value and index: as enum urb_type says; verdict: on them. */
static bool_t submit_call(struct svc_req *rq, enum urb_type type,
			  const usbip_submit *submit, unsigned int value,
			  unsigned int index, enum urb_verdict verdict,
			  usbip_state_res *res)
{
	struct session *s;
	struct urb *urb;

	memset(res, 0, sizeof(*res));
	s = proc_session(rq, submit->session, &res->status);
	if (!s)
		return TRUE;
	urb = urb_new_in(&proc_target(rq)->urbs);
	if (urb) {
		urb->type = type;
		urb->value = value;
		urb->index = index;
		urb->verdict = submit->pipe ? URB_VERDICT_INVAL : verdict;
	}
	proc_submit(rq, s, submit, 0, urb);
	return FALSE;
}

/* valid: do value and index make sense? */
static bool_t submit_state(struct svc_req *rq, enum urb_type type,
			   const usbip_submit *submit, unsigned int value,
			   unsigned int index, bool valid, usbip_state_res *res)
{
	return submit_call(rq, type, submit, value, index, valid ?
			   URB_VERDICT_TAKEN : URB_VERDICT_INVAL, res);
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

/*
 * Remote wakeup can not be had from usbfs: that the device may sleep does not
 * say that it does, which is decided by this system, later or never. Between
 * the last interrupt transfer and a sleep from which it could signal, what it
 * has to say would be lost.
 */
bool_t usbip_suspend_1_svc(usbip_suspend_args *args, usbip_state_res *res,
			   struct svc_req *rq)
{
	return submit_call(rq, URB_TYPE_SUSPEND, &args->submit, 0, 0,
			   args->remote_wakeup ? URB_VERDICT_NOT_SUPPORTED :
			   URB_VERDICT_TAKEN, res);
}

bool_t usbip_resume_1_svc(usbip_suspend_args *args, usbip_state_res *res,
			  struct svc_req *rq)
{
	return submit_state(rq, URB_TYPE_RESUME, &args->submit, 0, 0, true,
			    res);
}
