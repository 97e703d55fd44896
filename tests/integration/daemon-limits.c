// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpcd where its machine gives it little: few descriptors, which
 * strangers want to have all of, and no memory.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define FEW 48
#define STRANGERS 64
#define SIZE (4 << 20)
#define UNREAD 60		/* strangers that read nothing */
#define LAST_FRAGMENT 0x80000000u
#define DEPTH 7			/* 28 MiB of the window of 32 */

static struct caller_daemon d;

/* ---- descriptors -------------------------------------------------------- */

static void test_raised(void)
{
	struct rlimit before, low, has;

	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &low);
	caller_daemon_start(&d, "* *\n", NULL, NULL);
	setrlimit(RLIMIT_NOFILE, &before);
	ok(!prlimit(d.pid, RLIMIT_NOFILE, NULL, &has) &&
	   has.rlim_cur == before.rlim_max, "it takes the descriptors that it may");
	ok(!caller_daemon_stop(&d), "the daemon ends well");
}

static int connect_raw(unsigned int port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		abort();
	return fd;
}

/* A process with descriptors of its own: it reads a port number, connects
 * STRANGERS times, says so, and stays. fd: its end of a socket pair. */
static pid_t fork_strangers(int fd)
{
	unsigned int port;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(fd, &port, sizeof(port)) != sizeof(port))
		abort();
	for (int i = 0; i < STRANGERS; i++)
		connect_raw(port);
	if (write(fd, "", 1) != 1)
		abort();
	for (;;)
		pause();
}

static unsigned int count_fds(void)
{
	char path[64];
	unsigned int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)d.pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* It lowers what this process may have: last of all. */
static void test_few(void)
{
	static const char *const devices[] = { "1-2", "1-3", "1-5", "2-1" };
	const struct rlimit few = { FEW, FEW };
	static struct caller c[5];
	int fds[2], xfer, n = 0;
	pid_t pid;
	char done;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		abort();
	pid = fork_strangers(fds[1]);
	setrlimit(RLIMIT_NOFILE, &few);
	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c[4], "127.0.0.1", d.port);
	ok(!caller_claim(&c[4], "1-4", 1, NULL), "one has a session");
	ok(write(fds[0], &d.port, sizeof(d.port)) == sizeof(d.port) &&
	   read(fds[0], &done, 1) == 1, "%d strangers come", STRANGERS);
	for (int i = 0; i < 4; i++) {
		caller_open(&c[i], "127.0.0.1", d.port);
		n += !caller_claim(&c[i], devices[i], 2, NULL) &&
		     caller_bulk(&c[i], 0x81, NULL, 4096, &xfer) == 4096;
	}
	ok(count_fds() < FEW - 10, "descriptors are left: %u", count_fds());
	ok(n == 4, "they keep nobody from a device");
	ok(!caller_renew(&c[4], 0, 0) && !c[4].closed, "nor harm who has one");
	for (int i = 0; i < 5; i++)
		caller_close(&c[i]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
}

/* ---- memory ------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
static void test_memory(void)
{
	ok(true, "no memory # SKIP the address sanitizer wants terabytes");
}

static void test_unread(void)
{
	ok(true, "what is not read # SKIP the address sanitizer keeps what is freed");
}
#else

/* Bytes of the daemon: of its addresses, or in memory. */
static unsigned long size_of(bool resident)
{
	unsigned long pages[2] = { 0 };
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)d.pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%lu %lu", &pages[0], &pages[1]) != 2)
		abort();
	fclose(f);
	return pages[resident] * sysconf(_SC_PAGESIZE);
}

static void set_room(unsigned long room)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (room)
		limit.rlim_cur = size_of(false) + room;
	if (prlimit(d.pid, RLIMIT_AS, &limit, NULL))
		abort();
}

/* Many LIST, for as long as any is taken, and no reply is read. */
static void ask_in_vain(int fd)
{
	static const uint32_t words[] = {
		LAST_FRAGMENT | 52, 1, 0, 2, USBIP_PROGRAM, USBIP_V1,
		USBIP_LIST, 0, 0, 0, 0, 0, 0, 0,
	};
	static uint32_t many[3000][sizeof(words) / 4];

	for (int i = 0; i < 3000; i++)
		for (size_t k = 0; k < sizeof(words) / 4; k++)
			many[i][k] = htonl(words[k]);
	send(fd, many, sizeof(many), MSG_DONTWAIT);
}

/* Each of them may have a little. */
static void test_unread(void)
{
	unsigned long before, more;
	static struct caller c;
	int fds[UNREAD];

	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	before = size_of(true);
	for (int i = 0; i < UNREAD; i++) {
		fds[i] = connect_raw(d.port);
		ask_in_vain(fds[i]);
	}
	for (int i = 0; i < 20; i++)
		caller_claim(&c, "9-9", 1, NULL);	/* behind theirs */
	more = (size_of(true) - before) >> 10;
	ok(more / UNREAD < 200, "replies that are not read: %lu KiB of each",
	   more / UNREAD);
	for (int i = 0; i < UNREAD; i++)
		close(fds[i]);
	caller_close(&c);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
}

static void test_memory(void)
{
	static struct caller_call calls[DEPTH], claim;
	static struct caller c, other;
	int xfer, whole = 0;

	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	caller_open(&other, "127.0.0.1", d.port);
	caller_claim(&c, "2-1", 1, NULL);
	caller_claim(&other, "1-2", 2, NULL);
	set_room(3 * SIZE);
	for (int i = 0; i < DEPTH; i++)
		caller_submit_in(&c, &calls[i], 0x81, SIZE, 0);
	for (int i = 0; i < DEPTH; i++) {
		whole += caller_result(&calls[i], NULL, SIZE, &xfer) == SIZE;
		caller_renew(&c, 0x81, i + 1);
	}
	ok(whole == DEPTH, "more than there is memory for is done bit by bit");
	ok(caller_bulk(&other, 0x81, NULL, 4096, &xfer) == 4096,
	   "small ones of others as ever");
	set_room(4096);
	ok(caller_claim(&other, "1-4", 3, &claim) == USBIP_DELAY,
	   "no memory for a session: DELAY");
	caller_end(&claim, (xdrproc_t)xdr_usbip_claim_res);
	ok(caller_bulk(&c, 0x81, NULL, USBIP_DATA_MAX, &xfer) == -1 &&
	   xfer == USBIP_XFER_NO_MEMORY, "none for a URB, even alone: NO_MEMORY");
	caller_renew(&c, 0x81, c.numbers[0x81]);
	set_room(0);
	ok(caller_bulk(&c, 0x81, NULL, SIZE, &xfer) == SIZE,
	   "when there is some again, it goes on");
	ok(caller_claim(&other, "1-4", 3, NULL) == USBIP_OK, "with claims, too");
	caller_close(&c);
	caller_close(&other);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
}

#endif

int main(void)
{
	test_raised();
	test_memory();
	test_unread();
	test_few();
	return tap_done();
}
