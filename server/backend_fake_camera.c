// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_camera - a camera of the USB video class (UVC 1.0): 160x120
 * YUY2, ten frames a second, and nothing to adjust.
 *
 * It has a clock: a packet each millisecond since it was put into another
 * alternate setting, whether somebody asks for it or not. What nobody has
 * queued a transfer for in time is lost. Packet n has a header of two bytes and
 * part n % 100 of frame n / 100. Word m (32 bits, little-endian) of frame f is
 * (f * 9600 + m + 1) * 2654435761, so each says where it belongs; to get that
 * back, multiply by 244002641.
 *
 * Setting 2 of interface 1 is wide enough for it; in setting 1 its packets are
 * too long. A fault of its endpoint damages the first packet of a transfer.
 * Vendor request 0xe5 IN gives three words of 32 bits, little-endian, of the
 * stream that runs or has run last: frames begun, frames of which a packet was
 * lost, packets lost.
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_COUNTS 0xe5

#define EP_VIDEO 0x81
#define STREAMING 1		/* the interface's number */

#define WIDTH 160
#define HEIGHT 120
#define FRAME_SIZE (WIDTH * HEIGHT * 2)
#define FRAME_WORDS (FRAME_SIZE / 4)
#define FRAME_PACKETS 100	/* a millisecond each */
#define PACKET_MS 1
#define FRAME_INTERVAL (FRAME_PACKETS * PACKET_MS * 10000)	/* in 100 ns */
#define HEADER 2
#define PAYLOAD (FRAME_SIZE / FRAME_PACKETS)
#define PACKET (HEADER + PAYLOAD)
#define FACTOR 2654435761u

/* Payload header (UVC 2.4.3.3): its bits. */
#define HEADER_FID 0x01
#define HEADER_EOF 0x02
#define HEADER_EOH 0x80

#define LE16(n) (n) & 0xff, (n) >> 8 & 0xff
#define LE32(n) LE16(n), (n) >> 16 & 0xff, (n) >> 24 & 0xff

enum camera_request {
	CAMERA_SET_CUR = 0x01,
	CAMERA_GET_CUR = 0x81,
	CAMERA_GET_MIN,
	CAMERA_GET_MAX,
	CAMERA_GET_RES,
	CAMERA_GET_LEN,
	CAMERA_GET_INFO,
	CAMERA_GET_DEF,
};

enum camera_selector {
	CAMERA_PROBE = 1,
	CAMERA_COMMIT,
};

struct camera {
	uint8_t setting;	/* 0: it does not stream */
	uint64_t start;		/* ms: of packet 0 */
	uint64_t next;		/* the packet that nobody has had yet */
	uint64_t spoilt;	/* frames before this one are in n_spoilt */
	uint32_t n_spoilt, n_lost;
};

/* Probe and commit (UVC 4.3.1.1): the one thing that it can do. */
static const uint8_t probe[26] = {
	1, 0, 1, 1, LE32(FRAME_INTERVAL), [18] = LE32(FRAME_SIZE), LE32(PACKET),
};

/* ---- the stream --------------------------------------------------------- */

static void lose_packets(struct camera *m, uint64_t until)
{
	uint64_t frame = m->next / FRAME_PACKETS;
	uint64_t end = (until - 1) / FRAME_PACKETS + 1;

	if (frame < m->spoilt)
		frame = m->spoilt;
	if (end > frame) {
		m->n_spoilt += end - frame;
		m->spoilt = end;
	}
	m->n_lost += until - m->next;
	m->next = until;
}

static void make_packet(uint64_t number, uint8_t *out)
{
	uint32_t frame = number / FRAME_PACKETS, part = number % FRAME_PACKETS;
	uint32_t word = frame * FRAME_WORDS + part * (PAYLOAD / 4) + 1;

	out[0] = HEADER;
	out[1] = HEADER_EOH | (frame & 1 ? HEADER_FID : 0) |
		 (part == FRAME_PACKETS - 1 ? HEADER_EOF : 0);
	for (unsigned int i = 0; i < PAYLOAD; i++)
		out[HEADER + i] = (word + i / 4) * FACTOR >> (i % 4 * 8);
}

static void send_packet(struct camera *m, struct urb_packet *p, uint8_t *to)
{
	uint8_t packet[PACKET];
	bool fits = p->length >= PACKET;

	make_packet(m->next++, packet);
	p->xfer = fits ? URB_XFER_OK : URB_XFER_OVERFLOW;
	p->actual = fits ? PACKET : p->length;
	memcpy(to, packet, p->actual);
}

/* The time that it was on the bus says which packets those were. */
static bool camera_transfer(struct fake_device *dev, struct urb *urb)
{
	struct fake_endpoint *ep = &dev->endpoints[endpoint_row(EP_VIDEO)];
	uint64_t began = ep->ended - urb->n_packets * PACKET_MS;
	struct camera *m = dev->model_state;
	uint8_t *data = urb_data(urb);

	if (began > m->start + m->next * PACKET_MS)
		lose_packets(m, (began - m->start) / PACKET_MS);
	urb->xfer = URB_XFER_OK;
	urb->actual = 0;
	for (unsigned int i = 0; i < urb->n_packets; i++) {
		struct urb_packet *p = &urb->packets[i];

		if (!i && ep->spoil != FAKE_FAULT_NONE) {
			lose_packets(m, m->next + 1);
			p->xfer = URB_XFER_MISSED;
			p->actual = 0;
			continue;
		}
		send_packet(m, p, data);
		data += p->actual;
		urb->actual += p->actual;
	}
	return true;
}

/* In the worker; where the setting is another, no transfer runs. What was
 * counted stays until the next stream begins. */
static void camera_look_at_setting(struct fake_device *dev)
{
	uint8_t setting = dev->alternates[STREAMING];
	struct camera *m = dev->model_state;

	if (setting == m->setting)
		return;
	if (setting) {
		memset(m, 0, sizeof(*m));
		m->start = fake_now_ms();
	}
	m->setting = setting;
}

/* ---- requests ----------------------------------------------------------- */

static int give(uint8_t *data, size_t len, const void *from, size_t have)
{
	if (have > len)
		have = len;
	memcpy(data, from, have);
	return have;
}

static int get_control(uint8_t request, uint8_t *data, size_t len)
{
	static const uint8_t length[2] = { sizeof(probe) }, info = 0x03;
	static const uint8_t steps[sizeof(probe)];

	switch (request) {
	case CAMERA_GET_CUR:
	case CAMERA_GET_MIN:
	case CAMERA_GET_MAX:
	case CAMERA_GET_DEF:
		return give(data, len, probe, sizeof(probe));
	case CAMERA_GET_RES:
		return give(data, len, steps, sizeof(steps));
	case CAMERA_GET_LEN:
		return give(data, len, length, sizeof(length));
	case CAMERA_GET_INFO:		/* may be got and set */
		return give(data, len, &info, 1);
	default:
		return -EPIPE;
	}
}

/* Any PROBE is negotiated to what it can do; a COMMIT has to be that. */
static int set_control(uint8_t selector, const uint8_t *data, size_t len)
{
	if (len != sizeof(probe))
		return -EPIPE;
	if (selector == CAMERA_COMMIT && memcmp(data + 2, probe + 2, 6))
		return -EPIPE;
	return 0;
}

static int give_counts(const struct camera *m, uint8_t *data, size_t len)
{
	const uint32_t counts[] = {
		(m->next + FRAME_PACKETS - 1) / FRAME_PACKETS,
		m->n_spoilt, m->n_lost,
	};

	if (len != 12)
		return -EPIPE;
	for (int i = 0; i < 12; i++)
		data[i] = counts[i / 4] >> (i % 4 * 8);
	return 12;
}

static int camera_control(struct fake_device *dev, const uint8_t *setup,
			  uint8_t *data, size_t len)
{
	bool streaming = setup[4] == STREAMING && !setup[5] && !setup[2] &&
			 (setup[3] == CAMERA_PROBE ||
			  setup[3] == CAMERA_COMMIT);

	if (setup[0] == 0xc0 && setup[1] == REQUEST_COUNTS)
		return give_counts(dev->model_state, data, len);
	if (setup[0] == 0xa1 && streaming)
		return get_control(setup[1], data, len);
	if (setup[0] == 0x21 && setup[1] == CAMERA_SET_CUR && streaming)
		return set_control(setup[3], data, len);
	return -EPIPE;
}

/* ---- descriptors -------------------------------------------------------- */

static const uint8_t head[] = {
	9, 2, 0, 0, 2, 1, 0, 0x80, 250,
	8, 11, 0, 2, 0x0e, 0x03, 0, 0,		/* interfaces 0 and 1 */
	9, 4, 0, 0, 0, 0x0e, 0x01, 0, 0,	/* control: */
	13, 0x24, 0x01, 0x00, 0x01, 40, 0, LE32(48000000), 1, STREAMING,
	18, 0x24, 0x02, 1, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0,
	9, 0x24, 0x03, 2, 0x01, 0x01, 0, 1, 0,
	9, 4, STREAMING, 0, 0, 0x0e, 0x02, 0, 0,	/* streaming: */
	14, 0x24, 0x01, 1, 77, 0, EP_VIDEO, 0, 2, 0, 0, 0, 1, 0,
	27, 0x24, 0x04, 1, 1, 'Y', 'U', 'Y', '2', 0, 0, 0x10, 0, 0x80, 0, 0,
	0xaa, 0, 0x38, 0x9b, 0x71, 16, 1, 0, 0, 0, 0,
	30, 0x24, 0x05, 1, 0, LE16(WIDTH), LE16(HEIGHT),
	LE32(FRAME_SIZE * 80), LE32(FRAME_SIZE * 80), LE32(FRAME_SIZE),
	LE32(FRAME_INTERVAL), 1, LE32(FRAME_INTERVAL),
	6, 0x24, 0x0d, 1, 1, 4,			/* the usual colours */
};

static size_t camera_configs(enum backend_speed speed, uint8_t *out,
			     size_t size)
{
	static const uint16_t widths[] = { 128, 512 };
	bool full = speed < BACKEND_SPEED_HIGH;
	size_t at = sizeof(head);

	memcpy(out, head, sizeof(head));
	for (uint8_t i = 0; i < 2; i++) {
		const uint8_t setting[] = {
			9, 4, STREAMING, i + 1, 1, 0x0e, 0x02, 0, 0,
			7, 5, EP_VIDEO, 0x05, LE16(widths[i]), full ? 1 : 4,
		};
		const uint8_t companion[] = { 6, 48, 0, 0, LE16(widths[i]) };

		memcpy(out + at, setting, sizeof(setting));
		at += sizeof(setting);
		if (speed >= BACKEND_SPEED_SUPER) {
			memcpy(out + at, companion, sizeof(companion));
			at += sizeof(companion);
		}
	}
	out[2] = at & 0xff;
	out[3] = at >> 8;
	return at;
}

/* ---- the device --------------------------------------------------------- */

static int camera_init(struct fake_device *dev, unsigned long size)
{
	dev->model_state = calloc(1, sizeof(struct camera));
	dev->endpoints[endpoint_row(EP_VIDEO)].delay_ms = PACKET_MS;
	return dev->model_state ? 0 : -ENOMEM;
}

static void camera_deinit(struct fake_device *dev)
{
	free(dev->model_state);
}

const struct fake_model fake_model_camera = {
	.name = "camera",
	.speed = BACKEND_SPEED_HIGH,
	.vendor = 0x0525,
	.product = 0xa4a8,
	.manufacturer_name = "usbip-rpc",
	.product_name = "Fake Camera",
	.class_code = { 0xef, 2, 1 },
	.configs = camera_configs,
	.init = camera_init,
	.deinit = camera_deinit,
	.control = camera_control,
	.transfer = camera_transfer,
	.reset = camera_look_at_setting,
	.set_interface = camera_look_at_setting,
};
