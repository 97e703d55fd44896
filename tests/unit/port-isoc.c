// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The isochronous URBs of a port against a scripted kernel and target: packets,
 * lending, reading ahead, gaps. What the port does is noted as words:
 *   >N   URB N was sent        N=S  the kernel was answered: ok or an errno
 *   xN   its UNLINK was sent   >iface, iface=S  the same for SET_INTERFACE
 *   <N   reader N of IN was sent       x<N  its UNLINK
 */
#include "client/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"

#define PACKETS 6
#define LENGTH 10
#define IN 0x81
#define OUT 0x01
#define IFACE 99		/* the id of SET_INTERFACE */

static struct port *port;
static struct answer_descriptors descriptors;
static char words[1024];
static struct urb *sent[200], *readers[200];	/* by id; by number */
static struct vhci_complete last;
static uint8_t last_byte;	/* of its data */
static struct vhci_packet last_packets[PACKETS];

static const char *word_of(uint64_t id)
{
	static char text[24];

	if (id == IFACE)
		return "iface";
	snprintf(text, sizeof(text), "%u", (unsigned int)id);
	return text;
}

static void say(const char *before, uint64_t id, const char *behind)
{
	size_t len = strlen(words);

	snprintf(words + len, sizeof(words) - len, "%s%s%s%s", len ? " " : "",
		 before, word_of(id), behind);
}

static int on_submit(struct urb *urb, uint32_t acked, void *user)
{
	if (urb->reads) {
		readers[urb->number] = urb;
		say("<", urb->number, "");
		return 0;
	}
	sent[urb->id] = urb;
	say(">", urb->id, "");
	return 0;
}

static void on_unlink(struct urb *urb, void *user)
{
	if (urb->reads)
		say("x<", urb->number, "");
	else
		say("x", urb->id, "");
}

static void on_complete(const struct vhci_complete *done, void *user)
{
	last = *done;
	last_byte = done->actual && done->data ? done->data[done->actual - 1] : 0;
	if (done->n_packets)
		memcpy(last_packets, done->packets, sizeof(last_packets));
	say("", done->id, !done->status ? "=ok" :
	    done->status == -ECONNRESET ? "=cancelled" : "=failed");
}

static void on_renew(void *user)
{
	static struct port_ack acks[PORT_ACKS];

	port_acks(port, acks, false);
}

static void on_retry_in(unsigned int ms, void *user)
{
}

static void on_heard(const uint8_t setup[8], const uint8_t *data, size_t len,
		     void *user)
{
}

static void on_broken(const char *why, void *user)
{
	say("broken ", 0, "");
}

static bool did(const char *want)
{
	bool same = !strcmp(words, want);

	if (!same)
		printf("# want %s\n# got  %s\n", want, words);
	words[0] = 0;
	return same;
}

static void begin(unsigned int ahead_ms)
{
	static const struct port_ops ops = {
		.submit = on_submit, .unlink = on_unlink, .renew = on_renew,
		.complete = on_complete, .retry_in = on_retry_in,
		.heard = on_heard, .broken = on_broken,
	};
	const struct port_window window = { 100, 1 << 20, 1 << 20 };

	words[0] = 0;
	port = port_new(&window, &descriptors, &ops);
	port_set_isoc(port, USB_SPEED_FULL, ahead_ms);
	port_up(port);
}

/* URBs id, id + 1 ... to `to`, of PACKETS ms each. */
static void submit(uint8_t endpoint, uint64_t id, uint64_t to)
{
	static struct vhci_packet packets[PACKETS];
	static uint8_t data[PACKETS * LENGTH];
	struct vhci_submit s = {
		.endpoint = endpoint, .transfer = USB_TRANSFER_ISOC,
		.flags = VHCI_ISO_ASAP,
		.length = PACKETS * LENGTH, .interval = 1,
		.n_packets = PACKETS, .packets = packets, .data = data,
	};

	for (int i = 0; i < PACKETS; i++)
		packets[i].length = LENGTH;
	for (; id <= to; id++) {
		s.id = id;
		port_submit(port, &s);
	}
}

/* Full packets, the first `late` of them late; begun in this frame. */
static void answer_urb(struct urb *urb, uint32_t frame, uint32_t late)
{
	static const uint8_t data[PACKETS * LENGTH];
	struct vhci_packet packets[PACKETS];
	struct port_answer a = {
		.actual = (PACKETS - late) * LENGTH, .data = data,
		.n_packets = PACKETS, .packets = packets,
		.start_frame = frame, .n_late = late,
	};

	for (uint32_t i = 0; i < PACKETS; i++)
		packets[i] = i < late ? (struct vhci_packet){ 0, -EXDEV } :
					(struct vhci_packet){ LENGTH, 0 };
	port_answered(urb, &a);
}

static void answer(uint64_t id, uint32_t frame, uint32_t late)
{
	answer_urb(sent[id], frame, late);
}

/* With data that says which one it was. */
static void answer_reader(uint32_t number)
{
	uint8_t data[PACKETS * LENGTH];
	struct vhci_packet packets[PACKETS];
	struct port_answer a = {
		.actual = sizeof(data), .data = data,
		.n_packets = PACKETS, .packets = packets,
		.start_frame = number * PACKETS,
	};

	memset(data, (int)number, sizeof(data));
	for (uint32_t i = 0; i < PACKETS; i++)
		packets[i] = (struct vhci_packet){ LENGTH, 0 };
	port_answered(readers[number], &a);
}

static void cancel_reader(uint32_t number)
{
	port_answered(readers[number],
		      &(struct port_answer){ .status = -ECONNRESET });
}

static void set_interface(void)
{
	struct vhci_submit s = {
		.id = IFACE, .transfer = USB_TRANSFER_CONTROL,
		.setup = { 0x01, 11, 0, 0, 0, 0, 0, 0 },
	};

	port_submit(port, &s);
}

static const struct isoc_stats *stats(void)
{
	return &port_isoc(port)->stats;
}

static void test_packets(void)
{
	begin(0);
	submit(IN, 1, 1);
	ok(did(">1") && sent[1]->kind == URB_ISOC &&
	   sent[1]->n_packets == PACKETS && sent[1]->lengths[5] == LENGTH &&
	   sent[1]->flags == VHCI_ISO_ASAP, "an URB is sent with its packets");
	answer(1, 500, 2);
	ok(did("1=ok") && last.n_packets == PACKETS && last.actual == 40 &&
	   last.data && last_packets[0].status == -EXDEV &&
	   !last_packets[2].status && last_packets[5].length == LENGTH,
	   "and answered with them");
	ok(stats()->packets_in == 6 && stats()->late == 2 && !stats()->failed,
	   "late ones are counted");
	port_free(port);
}

static void test_lies(void)
{
	struct vhci_packet p[PACKETS + 1] = { { LENGTH, 0 } };
	const struct {
		const char *name;
		struct port_answer a;
	} lies[] = {
		{ "a packet too few", { .actual = 10, .n_packets = 5 } },
		{ "a packet too many", { .actual = 10, .n_packets = 7 } },
		{ "no packets, and well", { .actual = 0 } },
		{ "more bytes than the packets", { .actual = 11, .n_packets = 6 } },
		{ "fewer", { .actual = 9, .n_packets = 6 } },
	};

	begin(0);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct port_answer a = lies[i].a;

		a.packets = p;
		a.data = (const uint8_t *)"0123456789ab";
		submit(IN, 1, 1);
		did("");
		port_answered(sent[1], &a);
		ok(did("1=failed") && !last.n_packets && !last.actual,
		   "%s: the URB fails", lies[i].name);
	}
	p[0].length = LENGTH + 1;
	submit(IN, 1, 1);
	did("");
	port_answered(sent[1], &(struct port_answer){ .actual = LENGTH + 1,
		      .n_packets = PACKETS, .packets = p,
		      .data = (const uint8_t *)"0123456789ab" });
	ok(did("1=failed"), "a packet longer than asked for: the URB fails");
	ok(stats()->failed == 36, "their packets failed");
	port_free(port);
}

static void test_plain(void)
{
	begin(0);
	submit(OUT, 1, 3);
	ok(did(">1 >2 >3"), "without a buffer nothing is answered before its time");
	answer(1, 0, 0);
	answer(2, 6, 0);
	ok(did("1=ok 2=ok"), "but by the target");
	set_interface();
	ok(did(">iface"), "and no call waits");
	port_free(port);
}

/* 40 ms: six URBs of 6 ms. */
static void test_lending(void)
{
	begin(40);
	submit(OUT, 1, 8);
	ok(did(">1 1=ok >2 2=ok >3 3=ok >4 4=ok >5 5=ok >6 6=ok >7 >8") &&
	   last.actual == 60 && last.n_packets == PACKETS &&
	   last_packets[5].length == LENGTH && !last_packets[5].status,
	   "OUT URBs are answered ahead, as far as may be");
	ok(port_isoc(port)->lent_us == 36000, "36 of 40 ms");
	answer(1, 100, 0);
	ok(did("7=ok"), "each one that was played lets another go");
	answer(2, 106, 0);
	answer(3, 112, 0);
	ok(did("8=ok") && port_isoc(port)->lent_us == 30000,
	   "if there is one");
	submit(OUT, 9, 9);
	ok(did(">9 9=ok"), "which is then answered at once");
	port_unlink(port, 4);
	ok(did(""), "what was answered can not be unlinked any more");
	port_down(port);
	did("");
	port_up(port);
	ok(did(">4 >5 >6 >7 >8 >9"), "it is sent again over a new connection");
	answer(4, 118, 3);
	ok(did("") && stats()->late == 3 && stats()->packets_out == 24,
	   "its errors are counted, and nobody told");
	port_free(port);
}

/* 12 ms: two URBs ahead of what is wanted. */
static void test_reading(void)
{
	begin(12);
	submit(IN, 1, 2);
	ok(did("<1 <2 <3 <4"), "IN is read ahead of what is wanted");
	answer_reader(1);
	ok(did("1=ok") && last.actual == 60 && last_byte == 1 &&
	   last_packets[5].length == LENGTH,
	   "the first answer is the first URB's");
	submit(IN, 3, 3);
	ok(did("<5"), "each that is wanted lets another be sent");
	answer_reader(2);
	answer_reader(3);
	answer_reader(4);
	ok(did("2=ok 3=ok") && last_byte == 3, "what nobody wants yet");
	submit(IN, 4, 4);
	ok(did("4=ok <6") && last_byte == 4 && last.n_packets == PACKETS,
	   "is kept for the one that will");
	answer_reader(5);
	answer_reader(6);
	submit(IN, 5, 7);
	ok(did("5=ok <7 6=ok <8 <9") && last_byte == 6, "more of it, in order");
	port_down(port);
	did("");
	port_up(port);
	ok(did("<7 <8 <9"), "readers are sent again over a new connection");
	ok(!stats()->gaps && !stats()->dropped && stats()->packets_in == 36,
	   "no gap, nothing dropped");
	port_free(port);
}

static void test_reading_stops(void)
{
	begin(12);
	submit(IN, 1, 2);
	answer_reader(1);
	did("");
	port_unlink(port, 2);
	ok(did("2=cancelled x<4 x<3 x<2"), "the last is unlinked: so are readers");
	submit(IN, 3, 3);
	ok(did("<5 <6 <7"), "then the driver begins anew");
	answer_reader(2);
	cancel_reader(3);
	cancel_reader(4);
	ok(did("") && stats()->dropped == 6, "what was read is dropped");
	answer_reader(5);
	answer_reader(6);
	ok(did("3=ok") && last_byte == 5, "with data of its own");
	set_interface();
	ok(did(">iface x<7") && stats()->dropped == 12,
	   "SET_INTERFACE with nothing wanted is an end, too");
	cancel_reader(7);
	submit(IN, 4, 4);
	did("");
	port_reset(port, 50);
	ok(did(">50"), "but not where something is wanted");
	cancel_reader(8);
	cancel_reader(9);
	cancel_reader(10);
	ok(did("4=cancelled"), "which the target sees to");
	submit(IN, 5, 5);
	ok(did("<11 <12 <13"), "it is read again");
	port_forget(port);
	ok(did("xiface x50 x<13 x<12 x<11") && !port_outstanding(port), "unplugged: readers end");
	port_free(port);
}

static void test_reading_changes(void)
{
	struct vhci_packet packets[2] = { { LENGTH, 0 }, { LENGTH, 0 } };
	struct vhci_submit s = {
		.id = 9, .endpoint = IN, .transfer = USB_TRANSFER_ISOC,
		.length = 2 * LENGTH, .interval = 1, .n_packets = 2,
		.packets = packets,
	};

	begin(6);
	submit(IN, 1, 1);
	did("");
	port_submit(port, &s);
	ok(did("x<2 <3 <4 <5 <6") && readers[3]->n_packets == 2,
	   "URBs of another length: others are read");
	answer_reader(1);
	ok(did("1=ok") && last_byte == 1, "the one before has its answer");
	cancel_reader(2);
	port_answered(readers[3], &(struct port_answer){ .status = -EPROTO });
	ok(did("9=failed"), "and this one its own");
	port_free(port);
}

/* By a device-state call at the target, which the driver did not wait for. */
static void test_reading_drained(void)
{
	begin(12);
	submit(IN, 1, 2);
	did("");
	cancel_reader(1);
	cancel_reader(2);
	ok(did(""), "as many as are ahead are cancelled, and nobody hears of it");
	cancel_reader(3);
	cancel_reader(4);
	ok(did("1=cancelled 2=cancelled"), "but of the others");
	submit(IN, 1, 1);
	cancel_reader(5);
	submit(IN, 2, 2);
	did("");
	cancel_reader(6);
	cancel_reader(7);
	ok(did(""), "what was wanted behind it");
	answer_reader(8);
	answer_reader(9);
	ok(did("1=ok 2=ok") && last_byte == 9, "is read by others");
	port_free(port);
}

/* A driver records what ends in the order that it ends in. */
static void test_overtaken(void)
{
	begin(0);
	submit(IN, 1, 3);
	did("");
	answer(2, 6, 1);
	answer(3, 12, 2);
	ok(did(""), "answers that overtook another wait for it");
	answer(1, 0, 0);
	ok(did("1=ok 2=ok 3=ok") && last.n_packets == PACKETS &&
	   last_packets[1].status == -EXDEV &&
	   last_packets[2].length == LENGTH, "and have their packets still");
	ok(!stats()->gaps && stats()->late == 3, "no gap");
	port_free(port);
	begin(12);
	submit(IN, 1, 2);
	did("");
	answer_reader(2);
	ok(did(""), "what was read ahead, too");
	answer_reader(1);
	ok(did("1=ok 2=ok") && last_byte == 2, "and has its data still");
	answer_reader(4);
	port_unlink(port, 1);
	port_free(port);
}

static void test_unlink(void)
{
	begin(10);
	submit(OUT, 1, 3);
	ok(did(">1 1=ok >2 >3"), "one is lent");
	port_unlink(port, 3);
	port_unlink(port, 2);
	ok(did("x3 x2"), "the others are unlinked");
	answer(1, 0, 0);
	ok(did("") && !port_isoc(port)->lent_us, "what is unlinked is not lent");
	port_answered(sent[3], &(struct port_answer){ .status = -ECONNRESET });
	port_answered(sent[2], &(struct port_answer){ .status = -ECONNRESET });
	ok(did("3=cancelled 2=cancelled"), "but ends as the target says");
	port_free(port);
}

static void test_state_call(void)
{
	begin(12);
	submit(OUT, 1, 2);
	did("");
	set_interface();
	ok(did(""), "SET_INTERFACE waits for what was lent");
	answer(1, 0, 0);
	ok(did(""), "all of it");
	answer(2, 6, 0);
	ok(did(">iface"), "then it goes");
	port_answered(sent[IFACE], &(struct port_answer){ .status = 0 });
	ok(did("iface=ok"), "and is answered");
	submit(OUT, 3, 3);
	did("");
	port_reset(port, 50);
	ok(did(">50"), "RESET does not wait");
	port_free(port);
}

static void test_gaps(void)
{
	begin(0);
	submit(OUT, 1, 7);
	answer(1, 4294967290u, 0);
	answer(2, 0, 0);
	ok(!stats()->gaps, "frames that follow one another, over 2^32: no gap");
	answer(3, 7, 0);
	ok(stats()->gaps == 1, "one frame later: a gap");
	answer(4, 13, 0);
	answer(5, 0, 6);
	answer(6, 19, 0);
	ok(stats()->gaps == 1, "one that had no frame makes none");
	submit(OUT, 8, 8);
	port_unlink(port, 8);
	answer(7, 25, 0);
	port_answered(sent[8], &(struct port_answer){ .status = -ECONNRESET });
	submit(OUT, 9, 11);
	answer(9, 1000, 0);
	ok(stats()->gaps == 1, "nor does a driver that stopped by an unlink");
	answer(10, 1007, 0);
	ok(stats()->gaps == 2, "behind that they count again");
	port_answered(sent[11], &(struct port_answer){ .status = -EPROTO });
	submit(OUT, 12, 12);
	answer(12, 5000, 0);
	ok(stats()->gaps == 2, "where the one before failed, nobody knows");
	set_interface();
	submit(OUT, 13, 13);
	answer(13, 9000, 0);
	ok(stats()->gaps == 2, "SET_INTERFACE is a stop, too");
	port_free(port);
}

int main(void)
{
	test_packets();
	test_lies();
	test_plain();
	test_lending();
	test_reading();
	test_reading_stops();
	test_reading_changes();
	test_reading_drained();
	test_overtaken();
	test_unlink();
	test_state_call();
	test_gaps();
	return tap_done();
}
