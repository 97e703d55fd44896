// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * odd - a controller that does not read. Its calls are made by hand: no client
 * of ours would do this.
 */
#include "config.h"

#include "tests/soak/odd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/caller.h"

#define ENDPOINT 0x81
#define ASKED 64		/* URBs, a fourth of the window */
#define SIZE 65536		/* bytes of each, an eighth of it together */

static int connect_raw(unsigned int port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&sin, sizeof(sin)) &&
	    !fcntl(fd, F_SETFL, O_NONBLOCK))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A record: a call with n words of arguments; the last `cut` bytes stay out. */
static void send_call(int fd, uint32_t proc, const uint32_t *args, size_t n,
		      size_t cut)
{
	uint32_t words[32] = {
		0x80000000u | (4 * (10 + n)), proc, 0 /* CALL */, 2,
		USBIP_PROGRAM, USBIP_V1, proc, 0, 0, 0, 0,
	};

	memcpy(words + 11, args, 4 * n);
	for (size_t i = 0; i < 11 + n; i++)
		words[i] = htonl(words[i]);
	/* what is not taken is what is not taken */
	if (send(fd, words, 4 * (11 + n) - cut, MSG_NOSIGNAL) < 0)
		return;
}

bool odd_init(struct odd *odd, unsigned int port, const char *device)
{
	static struct caller c;
	usbip_stat stat;

	memset(odd, 0, sizeof(*odd));
	odd->port = port;
	odd->fd = -1;
	odd->next = 1;
	for (int i = 0; i < ODD_STRANGERS; i++)
		odd->strangers[i] = -1;
	caller_open(&c, "127.0.0.1", port);
	stat = caller_claim(&c, device, 0xdd, NULL);
	odd->session = c.session;
	caller_close(&c);
	return stat == USBIP_OK;
}

void odd_on(struct odd *odd)
{
	uint32_t high = odd->session >> 32, low = (uint32_t)odd->session;
	const uint32_t renew[] = { high, low, 0 };
	uint32_t acked = odd->next - 1;

	if (odd->fd >= 0)
		return;
	odd->fd = connect_raw(odd->port);
	send_call(odd->fd, USBIP_RENEW, renew, 3, 0);
	for (int i = 0; i < ASKED; i++) {
		const uint32_t bulk[] = { high, low, ENDPOINT, odd->next++,
					  acked, USBIP_BUFFER_IN, SIZE };

		send_call(odd->fd, USBIP_BULK, bulk, 7, 0);
	}
	send_call(odd->fd, USBIP_RENEW, renew, 3, 20);
	for (int i = 0; i < ODD_STRANGERS; i++) {
		odd->strangers[i] = connect_raw(odd->port);
		send_call(odd->strangers[i], USBIP_LIST, renew, 3, 20);
	}
}

void odd_off(struct odd *odd)
{
	if (odd->fd < 0)
		return;
	close(odd->fd);
	odd->fd = -1;
	for (int i = 0; i < ODD_STRANGERS; i++)
		close(odd->strangers[i]);
}

bool odd_deinit(struct odd *odd)
{
	static struct caller c;
	usbip_stat stat;

	odd_off(odd);
	caller_open(&c, "127.0.0.1", odd->port);
	c.session = odd->session;
	stat = caller_release(&c);
	caller_close(&c);
	return stat == USBIP_OK;
}
