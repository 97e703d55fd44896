// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-peer - a device for the kernel's own vhci_hcd, to compare with.
 *
 * Speaks the wire format of mainline usbip (Documentation/usb/usbip_protocol.rst)
 * over TCP on the loopback and stands for one high-speed source/sink device
 * (0525:a4a0), the one that `usbip-rpcd --backend fake` has too. The client
 * side of the connection is handed to vhci_hcd, as `usbip attach` does. It
 * answers as fast as such a peer can: it reads all there is, and writes the
 * replies to it with one call, so that what is measured is vhci_hcd.
 *
 *	usbip-peer [PORT]	attach to port PORT (0) and serve until the end
 *
 * It serves a benchmark: it trusts the kernel that it talks to.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usb/ch9.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/peer.h"

enum {
	CMD_SUBMIT = 1,
	CMD_UNLINK = 2,
	RET_SUBMIT = 3,
	RET_UNLINK = 4,
	DIR_IN = 1,
	DEVID = 2 << 16 | 1,
};

/* All in network byte order. */
struct header {
	uint32_t command;
	uint32_t seqnum;
	uint32_t devid;
	uint32_t direction;
	uint32_t ep;
	union {
		struct {
			uint32_t flags;
			uint32_t length;
			uint32_t start_frame;
			uint32_t npackets;
			uint32_t interval;
			uint8_t setup[8];
		} submit;
		struct {
			uint32_t status;
			uint32_t actual;
			uint32_t start_frame;
			uint32_t npackets;
			uint32_t error_count;
		} ret;
		uint8_t pad[28];
	};
};

static const uint8_t device_descriptor[18] = {
	18, USB_DT_DEVICE, 0x00, 0x02, 0xff, 0, 0, 64,
	0x25, 0x05, 0xa0, 0xa4, 0x00, 0x01, 0, 0, 0, 1,
};

static const uint8_t config_descriptor[32] = {
	9, USB_DT_CONFIG, 32, 0, 1, 3, 0, 0x80, 50,
	9, USB_DT_INTERFACE, 0, 0, 2, 0xff, 0, 0, 0,
	7, USB_DT_ENDPOINT, 0x81, 2, 0x00, 0x02, 0,
	7, USB_DT_ENDPOINT, 0x01, 2, 0x00, 0x02, 0,
};

static void put(const void *data, size_t len)
{
	if (out_used + len > sizeof(out))
		errx(1, "output buffer too small");
	if (data)
		memcpy(out + out_used, data, len);
	else
		memset(out + out_used, 0, len);
	out_used += len;
}

static void put_reply(const struct header *h, int status, uint32_t actual,
		      const void *data, size_t len)
{
	struct header r = {
		.command = htonl(RET_SUBMIT),
		.seqnum = h->seqnum,
	};

	r.ret.status = htonl((uint32_t)status);
	r.ret.actual = htonl(actual);
	put(&r, sizeof(r));
	put(data, len);
}

static void answer_control(const struct header *h)
{
	const uint8_t *s = h->submit.setup;
	uint16_t wanted = (uint16_t)(s[6] | s[7] << 8);
	const uint8_t *data = (const uint8_t[2]){ 0 };
	size_t len = 0;

	if (s[0] == 0x80 && s[1] == USB_REQ_GET_DESCRIPTOR) {
		if (s[3] == USB_DT_DEVICE) {
			data = device_descriptor;
			len = sizeof(device_descriptor);
		} else if (s[3] == USB_DT_CONFIG) {
			data = config_descriptor;
			len = sizeof(config_descriptor);
		} else {
			put_reply(h, -EPIPE, 0, NULL, 0);
			return;
		}
	} else if ((s[0] & 0x80) && s[1] == USB_REQ_GET_STATUS) {
		len = 2;
	}
	if (len > wanted)
		len = wanted;
	put_reply(h, 0, (uint32_t)len, data, len);
}

/* The length of the message at the front of `in`, answered; 0: not all there. */
static size_t answer(const uint8_t *p, size_t n)
{
	struct header h;
	uint32_t len;

	if (n < sizeof(h))
		return 0;
	memcpy(&h, p, sizeof(h));
	if (ntohl(h.command) == CMD_UNLINK) {
		h.command = htonl(RET_UNLINK);
		h.direction = h.ep = h.devid = 0;
		memset(h.pad, 0, sizeof(h.pad));
		put(&h, sizeof(h));
		return sizeof(h);
	}
	len = ntohl(h.submit.length);
	if (ntohl(h.direction) != DIR_IN && n < sizeof(h) + len)
		return 0;
	if (!h.ep)
		answer_control(&h);
	else if (ntohl(h.direction) == DIR_IN)
		put_reply(&h, 0, len, NULL, len);
	else
		put_reply(&h, 0, len, NULL, 0);
	return sizeof(h) + (ntohl(h.direction) == DIR_IN ? 0 : len);
}

/* A TCP connection over the loopback: fd[0] the client's end. */
static void connect_loopback(int fd[2])
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (bind(l, (void *)&sin, len) || listen(l, 1) ||
	    getsockname(l, (void *)&sin, &len))
		err(1, "listen");
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd[0], (void *)&sin, len))
		err(1, "connect");
	fd[1] = accept(l, NULL, NULL);
	if (fd[1] < 0)
		err(1, "accept");
	close(l);
	for (int i = 0; i < 2; i++)
		setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int main(int argc, char **argv)
{
	static const char path[] = "/sys/devices/platform/vhci_hcd.0/attach";
	int fd[2], attach;

	connect_loopback(fd);
	attach = open(path, O_WRONLY);
	if (attach < 0)
		err(1, "%s (is vhci-hcd loaded?)", path);
	if (dprintf(attach, "%s %d %u %d", argc > 1 ? argv[1] : "0", fd[0],
		    (unsigned int)DEVID, USB_SPEED_HIGH) < 0)
		err(1, "attach");
	close(attach);
	close(fd[0]);
	serve(fd[1], answer);
}
