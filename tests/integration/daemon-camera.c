// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake camera (server/backend_fake_camera.c), over the wire: negotiated,
 * started and read as a driver does it, every packet looked at. It has a clock
 * of its own: what is asked for in time comes without a gap, and what is not is
 * lost and counted. What the lab's job camera relies on, without a driver.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/camera-pattern.h"
#include "tests/integration/caller.h"
#include "tests/tap.h"

#define VIDEO 0x81
#define STREAMING 1
#define COUNTS 0xe5
#define FAULT 0xe1
#define IO 3
#define SET_CUR 0x01
#define GET_CUR 0x81
#define PROBE 1
#define COMMIT 2
#define PROBE_SIZE 26

/* As uvcvideo has it. */
#define URBS 5
#define PACKETS 32
#define LENGTH 512
#define PAYLOAD (CAMERA_FRAME / CAMERA_PACKETS)

static struct caller_daemon d;

struct transfer {
	struct caller_call call;
	usbip_isoc_args args;
	u_int lengths[PACKETS];
};

/* What came, in packets of the camera. */
struct stream {
	struct transfer urbs[URBS];
	unsigned int oldest;
	uint32_t next;		/* the packet that is wanted */
	uint32_t n_packets, n_lost, n_wrong;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static int control(struct caller *c, uint8_t request, uint8_t selector,
		   uint8_t *data, int *xfer)
{
	const uint8_t setup[8] = { request & 0x80 ? 0xa1 : 0x21, request, 0,
				   selector, STREAMING, 0, PROBE_SIZE, 0 };

	return caller_control(c, setup, data, xfer);
}

/* frames begun, frames spoilt, packets lost */
static void ask_counts(struct caller *c, uint32_t counts[3])
{
	const uint8_t setup[8] = { 0xc0, COUNTS, 0, 0, 0, 0, 12, 0 };
	uint8_t data[12] = { 0 };
	int xfer;

	caller_control(c, setup, data, &xfer);
	for (int i = 0; i < 3; i++)
		counts[i] = data[4 * i] | data[4 * i + 1] << 8;
}

static bool set_alternate(struct caller *c, unsigned int alternate)
{
	int xfer;

	return !caller_state(c, USBIP_SET_INTERFACE, alternate, STREAMING,
			     &xfer);
}

static void begin(struct caller *c, struct transfer *t)
{
	memset(&t->args, 0, sizeof(t->args));
	for (unsigned int i = 0; i < PACKETS; i++)
		t->lengths[i] = LENGTH;
	t->args.submit = (usbip_submit){
		.session = c->session, .pipe = VIDEO | USBIP_PIPE_ISO_ASAP,
		.number = ++c->numbers[VIDEO], .acked = c->acked[VIDEO],
	};
	t->args.interval = 4;
	t->args.packets.packets_len = PACKETS;
	t->args.packets.packets_val = t->lengths;
	t->args.buffer.type = USBIP_BUFFER_IN;
	t->args.buffer.usbip_buffer_u.length = PACKETS * LENGTH;
	caller_begin(c, &t->call);
	usbip_isoc_1(&t->args, &t->call.res.isoc, rpcclnt_handle(c->clnt));
}

/* Is it a packet of the camera's, and which one? */
static bool packet_is(const uint8_t *data, u_int n, uint32_t *number)
{
	uint32_t first, frame, m;
	bool last;

	if (n != 2 + PAYLOAD || data[0] != 2)
		return false;
	frame = camera_frame(data + 2, &first);
	for (uint32_t i = 0; i < PAYLOAD / 4; i++)
		if (camera_frame(data + 2 + 4 * i, &m) != frame ||
		    m != first + i)
			return false;
	*number = frame * CAMERA_PACKETS + first / (PAYLOAD / 4);
	last = *number % CAMERA_PACKETS == CAMERA_PACKETS - 1;
	return data[1] == (0x80 | last << 1 | (frame & 1));
}

static void look_at(struct stream *s, const usbip_isoc_ok *done)
{
	const uint8_t *data = (const uint8_t *)done->data.usbip_data_val;
	uint32_t number;

	for (u_int i = 0; i < done->packets.packets_len; i++) {
		const usbip_packet *p = &done->packets.packets_val[i];

		if (p->xfer == USBIP_XFER_MISSED && !p->actual)
			continue;	/* it shows as a hole before the next */
		if (p->xfer || !packet_is(data, p->actual, &number) ||
		    number < s->next) {
			s->n_wrong++;
			continue;
		}
		s->n_lost += number - s->next;
		s->next = number + 1;
		s->n_packets++;
		data += p->actual;
	}
}

/* The oldest one's end. */
static bool take(struct caller *c, struct stream *s)
{
	struct transfer *t = &s->urbs[s->oldest];

	s->oldest = (s->oldest + 1) % URBS;
	if (caller_wait(&t->call) || t->call.res.isoc.status != USBIP_OK)
		return false;
	look_at(s, &t->call.res.isoc.usbip_isoc_res_u.done);
	caller_end(&t->call, (xdrproc_t)xdr_usbip_isoc_res);
	c->acked[VIDEO] = t->args.submit.number;
	return true;
}

static void begin_all(struct caller *c, struct stream *s)
{
	for (unsigned int i = 0; i < URBS; i++)
		begin(c, &s->urbs[(s->oldest + i) % URBS]);
}

/* n ends, each followed by another transfer; then those that are left. */
static bool run(struct caller *c, struct stream *s, unsigned int n)
{
	bool good = true;

	begin_all(c, s);
	for (unsigned int i = 0; i < n; i++) {
		good &= take(c, s);
		begin(c, &s->urbs[(s->oldest + URBS - 1) % URBS]);
	}
	for (unsigned int i = 0; i < URBS; i++)
		good &= take(c, s);
	return good;
}

/* ---- */

static void test_negotiation(struct caller *c)
{
	uint8_t wanted[PROBE_SIZE] = { 1, 0, 1, 1, 1 }, got[PROBE_SIZE];
	int xfer;

	ok(control(c, SET_CUR, PROBE, wanted, &xfer) == PROBE_SIZE &&
	   control(c, GET_CUR, PROBE, got, &xfer) == PROBE_SIZE,
	   "PROBE of something");
	ok((got[18] | got[19] << 8) == CAMERA_FRAME &&
	   (got[22] | got[23] << 8) == 2 + PAYLOAD, "says what it can do");
	ok(control(c, SET_CUR, COMMIT, wanted, &xfer) == -1 &&
	   xfer == USBIP_XFER_STALL, "COMMIT of something else: STALL");
	ok(control(c, SET_CUR, COMMIT, got, &xfer) == PROBE_SIZE, "COMMIT");
}

static void test_stream(struct caller *c)
{
	static struct stream s;
	int64_t began = now_ms();
	uint32_t counts[3];

	ok(set_alternate(c, 2), "it begins");
	ok(run(c, &s, 20), "and streams");
	ok(!s.n_wrong && s.n_packets == (20 + URBS) * PACKETS,
	   "%u packets, each of them right", s.n_packets);
	ok(now_ms() - began >= s.n_packets, "not faster than its clock");
	ask_counts(c, counts);
	ok(counts[2] == s.n_lost, "%u are missing, as many as it lost",
	   s.n_lost);
	ok(counts[0] == s.next / CAMERA_PACKETS + !!(s.next % CAMERA_PACKETS),
	   "%u frames", counts[0]);
}

/* Nobody asks for half a second. */
static void test_loss(struct caller *c)
{
	static struct stream s;
	bool never = false;
	uint32_t counts[3], before;

	ok(set_alternate(c, 0) && set_alternate(c, 2),
	   "from the first frame on");
	run(c, &s, 1);
	before = s.n_lost;
	caller_run(c, 500, &never);
	run(c, &s, 1);
	ask_counts(c, counts);
	ok(s.n_lost - before >= 450 && !s.n_wrong,
	   "nobody asks for 500 ms: %u packets are lost", s.n_lost - before);
	ok(counts[2] == s.n_lost, "as it knows");
	ok(counts[1] >= 5, "of %u frames", counts[1]);
}

static void test_damage(struct caller *c)
{
	static struct stream s;
	uint32_t counts[3];

	ok(set_alternate(c, 0) && set_alternate(c, 2), "once more");
	caller_tell(c, FAULT, IO, VIDEO);
	run(c, &s, 0);
	ask_counts(c, counts);
	ok(!s.n_wrong && s.n_packets == URBS * PACKETS - 1,
	   "a packet is damaged, the others are not");
	ok(counts[2] == s.n_lost && s.n_lost > 0, "it counts as lost");
}

int main(void)
{
	static struct caller c;

	caller_daemon_start(&d, "* *\n", "device 1-1 camera serial=CAMERA\n",
			    NULL);
	caller_open(&c, "127.0.0.1", d.port);
	ok(caller_claim(&c, "1-1", 1, NULL) == USBIP_OK, "CLAIM");
	test_negotiation(&c);
	test_stream(&c);
	test_loss(&c);
	test_damage(&c);
	ok(caller_release(&c) == USBIP_OK, "RELEASE");
	caller_close(&c);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
