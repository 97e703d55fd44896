// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every argument and result of the protocol, each arm of the unions, at the
 * bounds: encoded by gather, by reference and by copy, and by libtirpc's own
 * memory stream; decoded in place, and encoded again. And one beyond each
 * bound, and cut short.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "common/gather.h"
#include "common/payload.h"
#include "common/record.h"
#include "rpc/usbip.h"
#include "tests/tap.h"

#define RECORD_MAX (USBIP_DATA_MAX + USBIP_RECORD_EXTRA)
#define U64 0x0102030405060708ULL

union value {
	usbip_list_args list_args;
	usbip_list_res list_res;
	usbip_events_args events_args;
	usbip_events_res events_res;
	usbip_claim_args claim_args;
	usbip_claim_res claim_res;
	usbip_session_args session_args;
	usbip_stat_res stat_res;
	usbip_renew_args renew_args;
	usbip_renew_res renew_res;
	usbip_control_args control_args;
	usbip_bulk_args bulk_args;
	usbip_interrupt_args interrupt_args;
	usbip_isoc_args isoc_args;
	usbip_transfer_res transfer_res;
	usbip_isoc_res isoc_res;
	usbip_urb urb;
	usbip_set_configuration_args set_configuration_args;
	usbip_set_interface_args set_interface_args;
	usbip_clear_halt_args clear_halt_args;
	usbip_reset_args reset_args;
	usbip_suspend_args suspend_args;
	usbip_streams_args streams_args;
	usbip_state_res state_res;
	usbip_stage_args stage_args;
	usbip_fetch_args fetch_args;
	usbip_fetch_res fetch_res;
};

/* Memory for all values, which a test does not free one by one. */
static char bytes[USBIP_DATA_MAX + 1];
static char text[USBIP_DEVNAME_MAX + 2];
static usbip_device devices[USBIP_ENTRIES_MAX + 1];
static usbip_interface interfaces[USBIP_INTERFACES_MAX + 1];
static usbip_event events[USBIP_EVENTS_MAX + 1];
static usbip_descriptor configs[USBIP_CONFIGS_MAX + 1];
static usbip_busid candidates[USBIP_CANDIDATES_MAX + 1];
static usbip_ack acks[USBIP_ENDPOINTS_MAX + 1];
static u_int words[USBIP_PACKETS_MAX + 1];
static usbip_packet packets[USBIP_PACKETS_MAX + 1];

/* A string of len characters, the same memory for all. */
static char *string(size_t len)
{
	return text + sizeof(text) - 1 - len;
}

static void init_memory(void)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + (i >> 8));
	memset(text, 'x', sizeof(text) - 1);
	for (size_t i = 0; i <= USBIP_PACKETS_MAX; i++) {
		words[i] = i * 0x10001 + 1;
		packets[i] = (usbip_packet){ USBIP_XFER_MISSED, i + 3 };
	}
	for (size_t i = 0; i <= USBIP_INTERFACES_MAX; i++)
		interfaces[i] = (usbip_interface){ i, 0x030101 + i };
	for (size_t i = 0; i <= USBIP_ENTRIES_MAX; i++)
		devices[i] = (usbip_device){
			.busid = string(USBIP_BUSID_MAX), .speed = USBIP_SPEED_SUPER_PLUS,
			.vendor = 0xffff, .product = 0xfffe, .bcd_device = 0x0100 + i,
			.class_code = 0xffffff, .configuration = 1, .n_configurations = 8,
			.manufacturer_name = string(USBIP_STRING_MAX),
			.product_name = string(USBIP_STRING_MAX - 1),
			.serial = string(0),
			.interfaces = { USBIP_INTERFACES_MAX, interfaces },
			.state = USBIP_STATE_CLAIMED, .claimed_by = string(USBIP_HOST_MAX),
		};
	for (size_t i = 0; i <= USBIP_EVENTS_MAX; i++)
		events[i] = (usbip_event){ USBIP_EVENT_SESSION, string(i), USBIP_GONE };
	for (size_t i = 0; i <= USBIP_CONFIGS_MAX; i++)
		configs[i] = (usbip_descriptor){ USBIP_DESCRIPTOR_MAX - i, bytes + i };
	for (size_t i = 0; i <= USBIP_CANDIDATES_MAX; i++)
		candidates[i] = string(USBIP_BUSID_MAX);
	for (size_t i = 0; i <= USBIP_ENDPOINTS_MAX; i++)
		acks[i] = (usbip_ack){ 0x80 + i, 0xfffffff0 + i };
}

/* ---- the values: v is zero, more is 0, or 1 for one beyond the bound ---- */

static const usbip_submit submit = { U64, 0x00030181, 0xfffffffe, 0xfffffff0 };
static const usbip_urb urb = { U64, 0x81, 0xfffffffe };

static void fill_list_args(union value *v, u_int more)
{
	v->list_args = (usbip_list_args){ U64, 32 };
}

static void fill_list(union value *v, u_int more)
{
	usbip_list_ok *list = &v->list_res.usbip_list_res_u.list;

	memset(list->boot, 0xb0, sizeof(list->boot));
	list->event = U64;
	list->cookie = U64 + 1;
	list->eof = TRUE;
	list->devices.devices_len = USBIP_ENTRIES_MAX + more;
	list->devices.devices_val = devices;
}

static void fill_status(union value *v, u_int more)
{
	v->stat_res.status = USBIP_HOST_ERROR;
}

static void fill_events_args(union value *v, u_int more)
{
	v->events_args = (usbip_events_args){ .after = U64, .session = ~U64, .wait = 60 };
	memset(v->events_args.boot, 0xb1, sizeof(v->events_args.boot));
}

static void fill_events(union value *v, u_int more)
{
	v->events_res.usbip_events_res_u.events.last = U64;
	v->events_res.usbip_events_res_u.events.events.events_len = USBIP_EVENTS_MAX + more;
	v->events_res.usbip_events_res_u.events.events.events_val = events;
}

static void fill_claim_args(union value *v, u_int more)
{
	v->claim_args.device = string(USBIP_DEVNAME_MAX + more);
	memset(v->claim_args.instance, 0x1d, 16);
	v->claim_args.host = string(USBIP_HOST_MAX);
	v->claim_args.flags = 0x80000000;
}

static void fill_claim(union value *v, u_int more)
{
	usbip_claim_ok *claim = &v->claim_res.usbip_claim_res_u.claim;

	*claim = (usbip_claim_ok){
		.session = U64, .event = U64 + 2, .lease = 30, .window_urbs = 64,
		.window_bytes = 1 << 20, .data_max = USBIP_DATA_MAX,
		.busid = string(USBIP_BUSID_MAX), .speed = USBIP_SPEED_HIGH,
		.configuration = 255,
		.configs = { USBIP_CONFIGS_MAX + more, configs },
		.bos = { USBIP_DESCRIPTOR_MAX, bytes },
	};
	memset(claim->boot, 0xb2, sizeof(claim->boot));
	memcpy(claim->device, bytes, sizeof(claim->device));
}

static void fill_busy(union value *v, u_int more)
{
	v->claim_res.status = USBIP_BUSY;
	v->claim_res.usbip_claim_res_u.holder =
		(usbip_holder){ string(USBIP_HOST_MAX + more), 3600 };
}

static void fill_ambiguous(union value *v, u_int more)
{
	v->claim_res.status = USBIP_AMBIGUOUS;
	v->claim_res.usbip_claim_res_u.candidates.candidates_len = USBIP_CANDIDATES_MAX + more;
	v->claim_res.usbip_claim_res_u.candidates.candidates_val = candidates;
}

static void fill_session(union value *v, u_int more)
{
	v->session_args.session = U64;
}

static void fill_renew_args(union value *v, u_int more)
{
	v->renew_args.session = U64;
	v->renew_args.acks.acks_len = USBIP_ENDPOINTS_MAX + more;
	v->renew_args.acks.acks_val = acks;
}

static void fill_renew(union value *v, u_int more)
{
	v->renew_res.usbip_renew_res_u.lease = 30;
}

static usbip_buffer out(u_int len)
{
	return (usbip_buffer){ USBIP_BUFFER_OUT,
			       { .data = { .usbip_data_len = len, .usbip_data_val = bytes } } };
}

static usbip_buffer in(usbip_buffer_type type)
{
	return (usbip_buffer){ type, { .length = USBIP_DATA_MAX } };
}

static void fill_control(union value *v, u_int more)
{
	v->control_args.submit = submit;
	memcpy(v->control_args.setup, bytes, 8);
	v->control_args.buffer = out(USBIP_CONTROL_MAX);
}

static void fill_bulk_out(union value *v, u_int more)
{
	v->bulk_args = (usbip_bulk_args){ submit, out(USBIP_DATA_MAX + more) };
}

static void fill_bulk_small(union value *v, u_int more)
{
	v->bulk_args = (usbip_bulk_args){ submit, out(GATHER_REF_MIN - 1) };
}

static void fill_bulk_odd(union value *v, u_int more)
{
	v->bulk_args = (usbip_bulk_args){ submit, out(GATHER_REF_MIN + 1) };
}

static void fill_bulk_empty(union value *v, u_int more)
{
	v->bulk_args = (usbip_bulk_args){ submit, out(0) };
}

static void fill_bulk_in(union value *v, u_int more)
{
	v->bulk_args = (usbip_bulk_args){ submit, in(USBIP_BUFFER_IN) };
}

static void fill_bulk_staged(union value *v, u_int more)
{
	v->bulk_args = (usbip_bulk_args){ submit, in(USBIP_BUFFER_STAGED) };
}

static void fill_interrupt(union value *v, u_int more)
{
	v->interrupt_args = (usbip_interrupt_args){ submit, 10, in(USBIP_BUFFER_FETCHED) };
}

static void fill_isoc_args(union value *v, u_int more)
{
	v->isoc_args = (usbip_isoc_args){ submit, 4, 0xfff,
		{ USBIP_PACKETS_MAX + more, words }, out(USBIP_DATA_MAX) };
}

static void fill_done(union value *v, u_int more)
{
	v->transfer_res.usbip_transfer_res_u.done =
		(usbip_done){ USBIP_XFER_MISSED, USBIP_DATA_MAX };
}

static void fill_done_data(union value *v, u_int more)
{
	v->transfer_res.status = USBIP_OK_DATA;
	v->transfer_res.usbip_transfer_res_u.done_data =
		(usbip_done_data){ USBIP_XFER_OVERFLOW, { USBIP_DATA_MAX + more, bytes } };
}

static void fill_isoc(union value *v, u_int more)
{
	v->isoc_res.usbip_isoc_res_u.done = (usbip_isoc_ok){ USBIP_XFER_LATE, 0xfff,
		{ USBIP_PACKETS_MAX + more, packets }, { USBIP_DATA_MAX, bytes } };
}

static void fill_urb(union value *v, u_int more)
{
	v->urb = urb;
}

static void fill_configuration(union value *v, u_int more)
{
	v->set_configuration_args = (usbip_set_configuration_args){ submit, 255 };
}

static void fill_interface(union value *v, u_int more)
{
	v->set_interface_args = (usbip_set_interface_args){ submit, 31, 255 };
}

static void fill_halt(union value *v, u_int more)
{
	v->clear_halt_args = (usbip_clear_halt_args){ submit, 0x8f };
}

static void fill_reset(union value *v, u_int more)
{
	v->reset_args = (usbip_reset_args){ submit };
}

static void fill_suspend(union value *v, u_int more)
{
	v->suspend_args = (usbip_suspend_args){ submit, TRUE };
}

static void fill_streams(union value *v, u_int more)
{
	v->streams_args = (usbip_streams_args){ submit, 16, { USBIP_ENDPOINTS_MAX + more, words } };
}

static void fill_stage(union value *v, u_int more)
{
	v->stage_args = (usbip_stage_args){ urb, 65000, { USBIP_PIECE_MAX + more, bytes } };
}

static void fill_fetch_args(union value *v, u_int more)
{
	v->fetch_args = (usbip_fetch_args){ urb, 130000, USBIP_PIECE_MAX };
}

static void fill_fetch(union value *v, u_int more)
{
	v->fetch_res.usbip_fetch_res_u.piece.piece_len = USBIP_PIECE_MAX + more;
	v->fetch_res.usbip_fetch_res_u.piece.piece_val = bytes;
}

#define SUBMIT 20			/* bytes of usbip_submit */
#define STRING(len) (4 + ((len) + 3) / 4 * 4)
#define DEVICE (STRING(31) + 7 * 4 + STRING(378) + STRING(377) + STRING(0) + 4 + 32 * 8 + 4 + STRING(255))

/* size: on the wire, counted by hand. bound: fill() can go beyond one. The
 * strings of events are 0 to 31 characters long. */
static const struct type {
	const char *name;
	xdrproc_t xdr;
	void (*fill)(union value *v, u_int more);
	size_t size;
	bool bound;
} types[] = {
#define T(type) #type, (xdrproc_t)xdr_usbip_##type
	{ T(list_args), fill_list_args, 12, false },
	{ T(list_res), fill_list, 4 + 8 + 8 + 8 + 4 + 4 + 32 * DEVICE, true },
	{ T(list_res), fill_status, 4, false },
	{ T(events_args), fill_events_args, 8 + 8 + 8 + 4, false },
	{ T(events_res), fill_events, 4 + 8 + 4 + 32 * (4 + 4) +
	  32 * 4 + 4 * 4 * (1 + 2 + 3 + 4 + 5 + 6 + 7) + 3 * 32, true },
	{ T(claim_args), fill_claim_args, STRING(391) + 16 + STRING(255) + 4, true },
	{ T(claim_res), fill_claim, 4 + 8 + 8 + 8 + 4 * 4 + STRING(31) + 4 + 4 + 20 +
	  4 + 3 * STRING(65535) + 4 * STRING(65532) + STRING(65528) + STRING(65535), true },
	{ T(claim_res), fill_busy, 4 + STRING(255) + 4, true },
	{ T(claim_res), fill_ambiguous, 4 + 4 + 16 * STRING(31), true },
	{ T(session_args), fill_session, 8, false },
	{ T(stat_res), fill_status, 4, false },
	{ T(renew_args), fill_renew_args, 8 + 4 + 31 * 8, true },
	{ T(renew_res), fill_renew, 8, false },
	{ T(control_args), fill_control, SUBMIT + 8 + 4 + STRING(65535), false },
	{ T(bulk_args), fill_bulk_out, SUBMIT + 4 + STRING(16777216), true },
	{ T(bulk_args), fill_bulk_small, SUBMIT + 4 + STRING(4095), false },
	{ T(bulk_args), fill_bulk_odd, SUBMIT + 4 + STRING(4097), false },
	{ T(bulk_args), fill_bulk_empty, SUBMIT + 8, false },
	{ T(bulk_args), fill_bulk_in, SUBMIT + 8, false },
	{ T(bulk_args), fill_bulk_staged, SUBMIT + 8, false },
	{ T(interrupt_args), fill_interrupt, SUBMIT + 4 + 8, false },
	{ T(isoc_args), fill_isoc_args, SUBMIT + 8 + 4 + 1024 * 4 + 4 + STRING(16777216), true },
	{ T(transfer_res), fill_done, 12, false },
	{ T(transfer_res), fill_done_data, 8 + STRING(16777216), true },
	{ T(transfer_res), fill_status, 4, false },
	{ T(isoc_res), fill_isoc, 12 + 4 + 1024 * 8 + STRING(16777216), true },
	{ T(isoc_res), fill_status, 4, false },
	{ T(urb), fill_urb, 16, false },
	{ T(set_configuration_args), fill_configuration, SUBMIT + 4, false },
	{ T(set_interface_args), fill_interface, SUBMIT + 8, false },
	{ T(clear_halt_args), fill_halt, SUBMIT + 4, false },
	{ T(reset_args), fill_reset, SUBMIT, false },
	{ T(suspend_args), fill_suspend, SUBMIT + 4, false },
	{ T(streams_args), fill_streams, SUBMIT + 4 + 4 + 31 * 4, true },
	{ T(state_res), fill_done, 12, false },
	{ T(state_res), fill_status, 4, false },
	{ T(stage_args), fill_stage, 16 + 4 + STRING(65000), true },
	{ T(fetch_args), fill_fetch_args, 16 + 8, false },
	{ T(fetch_res), fill_fetch, 4 + STRING(65000), true },
#undef T
};

/* ---- the tests ---------------------------------------------------------- */

/* Encode into a record, as a peer would get it; NULL: not encoded. */
static struct record *encode(const struct type *t, union value *v, bool by_ref)
{
	struct gather *g = gather_new(NULL, by_ref);
	struct record *rec = NULL;
	struct iovec iov[2 * GATHER_REFS + 1];
	size_t len = 0;
	XDR xdrs;
	int n;

	gather_xdr(g, &xdrs);
	if (!t->xdr(&xdrs, v) || gather_finish(g) || XDR_GETPOS(&xdrs) != gather_len(g) - 4) {
		gather_free(g);
		return NULL;
	}
	rec = malloc(sizeof(*rec) + gather_len(g));
	*rec = (struct record){ .refs = 1 };
	n = gather_iovec(g, 4, iov, 2 * GATHER_REFS + 1);
	for (int i = 0; i < n; i++) {
		memcpy(rec->data + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	rec->len = len;
	gather_free(g);
	return rec;
}

/* Encode by libtirpc's own stream. */
static struct record *encode_plainly(const struct type *t, union value *v, size_t size)
{
	struct record *rec = malloc(sizeof(*rec) + size);
	XDR xdrs;

	*rec = (struct record){ .refs = 1, .len = size };
	xdrmem_create(&xdrs, (char *)rec->data, size, XDR_ENCODE);
	if (!t->xdr(&xdrs, v) || XDR_GETPOS(&xdrs) != size)
		rec->len = 0;
	return rec;
}

static bool decode(const struct type *t, struct record *rec, union value *v)
{
	XDR xdrs;

	memset(v, 0, sizeof(*v));
	payload_decode(&xdrs, rec, 0);
	return t->xdr(&xdrs, v);
}

static bool same(const struct record *a, const struct record *b)
{
	return a && b && a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static void test_round_trip(const struct type *t)
{
	union value v, back;
	struct record *first, *copied, *plain, *second = NULL;
	bool decoded;

	memset(&v, 0, sizeof(v));
	t->fill(&v, 0);
	first = encode(t, &v, true);
	copied = encode(t, &v, false);
	plain = encode_plainly(t, &v, t->size);
	ok(first && first->len == t->size && t->size <= RECORD_MAX, "%s: %zu bytes",
	   t->name, t->size);
	ok(same(first, copied) && same(first, plain), "%s: the same by copy", t->name);
	decoded = first && decode(t, first, &back);
	if (decoded)
		second = encode(t, &back, true);
	ok(same(first, second), "%s: there and back", t->name);
	if (decoded)
		xdr_free(t->xdr, &back);
	record_unref(first);
	record_unref(copied);
	record_unref(plain);
	record_unref(second);
}

/* Cut short at many places, it is not decoded, and what was is freed. */
static void test_cut(const struct type *t)
{
	unsigned int bad = 0;
	union value v, back;
	struct record *rec;
	size_t len;

	memset(&v, 0, sizeof(v));
	t->fill(&v, 0);
	rec = encode(t, &v, true);
	len = rec->len;
	for (size_t cut = 4; cut <= len; cut += cut < 256 ? 4 : len / 64 / 4 * 4 + 4) {
		struct record *shorter = malloc(sizeof(*rec) + len - cut);

		*shorter = (struct record){ .refs = 1, .len = len - cut };
		memcpy(shorter->data, rec->data, shorter->len);
		bad += decode(t, shorter, &back);
		xdr_free(t->xdr, &back);
		record_unref(shorter);
	}
	record_unref(rec);
	ok(!bad, "%s: cut short", t->name);
}

static void test_beyond(const struct type *t)
{
	struct record *rec;
	union value v;

	memset(&v, 0, sizeof(v));
	t->fill(&v, 1);
	rec = encode(t, &v, true);
	ok(!rec, "%s: one beyond its bound is not encoded", t->name);
	record_unref(rec);
}

/* A length beyond the bound is refused when it comes, too. */
static void test_beyond_decoded(void)
{
	static const struct type bulk = { "bulk_args", (xdrproc_t)xdr_usbip_bulk_args,
					  NULL, 0, true };
	struct record *rec = calloc(1, sizeof(*rec) + SUBMIT + 8 + USBIP_DATA_MAX + 4);
	static const u_char beyond[4] = { 0x01, 0, 0, 1 };
	union value v;

	rec->refs = 1;
	rec->len = SUBMIT + 8 + USBIP_DATA_MAX + 4;
	memcpy(rec->data + SUBMIT + 4, beyond, 4);
	ok(!decode(&bulk, rec, &v), "data beyond its bound is not decoded");
	record_unref(rec);
}

/* Decoded data is in the record; encoded, it is where it was. */
static void test_borrowed(void)
{
	const struct type bulk = { "bulk_args", (xdrproc_t)xdr_usbip_bulk_args, NULL, 0, true };
	union value v, back;
	struct record *rec;
	struct gather *g = gather_new(NULL, true);
	struct iovec iov[3];
	XDR xdrs;

	memset(&v, 0, sizeof(v));
	fill_bulk_odd(&v, 0);
	rec = encode(&bulk, &v, true);
	decode(&bulk, rec, &back);
	ok(back.bulk_args.buffer.usbip_buffer_u.data.usbip_data_val ==
	   (char *)rec->data + SUBMIT + 8, "decoded data is lent by the record");
	record_unref(rec);
	gather_xdr(g, &xdrs);
	bulk.xdr(&xdrs, &v);
	gather_finish(g);
	ok(gather_iovec(g, 0, iov, 3) == 3 && iov[0].iov_len == 4 + SUBMIT + 8 &&
	   iov[1].iov_base == bytes && iov[1].iov_len == GATHER_REF_MIN + 1 &&
	   iov[2].iov_len == 3, "encoded data is sent from where it is");
	ok(gather_iovec(g, 4 + SUBMIT + 8 + 10, iov, 1) == 1 && iov[0].iov_base == bytes + 10,
	   "and from the middle of it");
	ok(!gather_detach(g) && gather_iovec(g, 4 + SUBMIT + 8 + 10, iov, 3) == 1 &&
	   !memcmp(iov[0].iov_base, bytes + 10, GATHER_REF_MIN + 1 - 10) &&
	   iov[0].iov_len == GATHER_REF_MIN + 1 - 10 + 3, "detached, it goes on at that byte");
	gather_free(g);
}

int main(void)
{
	init_memory();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		test_round_trip(&types[i]);
		test_cut(&types[i]);
		if (types[i].bound)
			test_beyond(&types[i]);
	}
	test_beyond_decoded();
	test_borrowed();
	return tap_done();
}
