/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * usbip_rpc.h - the interface of the virtual USB host controller usbip-rpc-vhci
 * to the process that answers for its devices (the helper).
 *
 * The module presents USB host controllers. A process opens
 * /dev/usbip-rpc-vhci, says HELLO, and attaches one device with ATTACH: the
 * device appears in a port of a virtual root hub, the kernel enumerates it,
 * and drivers bind. Every request that a driver makes of the device comes out
 * of read(); every answer goes in by write(). The module knows no network, no
 * RPC and no policy, and it trusts nothing that is written to it.
 *
 * One open file is one device
 * ---------------------------
 * A file carries at most one device at a time. The port belongs to the file
 * (to the open file description: it survives dup() and fork()): at the last
 * close the device is unplugged and all its URBs are given back at once with
 * -ESHUTDOWN. After DETACH the same file may ATTACH again.
 *
 * ioctl(): control
 * ----------------
 *   USBIP_RPC_IOC_HELLO   Agree on the ABI. Must come first; any other call
 *                         before it fails with -EPROTO (read() and write()
 *                         too). Both sides give the highest version they
 *                         speak, the lower one is used. A version of 0 is
 *                         -EINVAL. Twice is -EBUSY.
 *   USBIP_RPC_IOC_ATTACH  Plug a device in. -EBUSY: the file has one.
 *                         -ENOSPC: no free port for that speed, and no more
 *                         controllers (where any port will do, one is added
 *                         when none is free: module parameter
 *                         max_controllers). A port that is asked for by number
 *                         and that another device has just left is waited for,
 *                         2 s at most. -EINTR: by a signal meanwhile.
 *                         -EAGAIN: the system is about to sleep; later.
 *                         -EINVAL: a bad speed, flag or reserved field.
 *   USBIP_RPC_IOC_DETACH  Unplug it. All its URBs are given back with
 *                         -ESHUTDOWN, messages not yet read are dropped.
 *                         -ENOTCONN: there is none.
 *   USBIP_RPC_IOC_STATUS  What the port is and has done.
 * An unknown ioctl is -ENOTTY, after HELLO. Reserved fields must be zero, else -EINVAL.
 * Needs CAP_SYS_ADMIN in the initial namespace at open() (-EPERM), as what is
 * attached decides what drivers run; the file may then be passed on.
 *
 * read(): requests of the kernel
 * ------------------------------
 * Returns as many whole messages as fit in the buffer and are there, one
 * behind the other. Blocks for the first one, unless O_NONBLOCK: -EAGAIN. If
 * the first one does not fit: -EMSGSIZE, and it stays (IOC_STATUS tells the
 * length in next_len; ATTACH tells the largest there can be). A buffer that
 * is not mapped: -EFAULT, and the message stays. -ENOTCONN: no device.
 * poll(): POLLIN when there is a message, POLLOUT always, POLLHUP when the
 * kernel itself has unplugged the device, because the system goes to sleep
 * (until the next ATTACH or DETACH). Who wants it to be there afterwards tries
 * ATTACH, with the port's number, until it is not -EAGAIN any more. Several
 * threads may read.
 *
 * write(): answers
 * ----------------
 * Takes as many whole messages as there are, one behind the other, also as an
 * iovec cut anywhere. Returns the bytes taken. A malformed message ends the
 * call: the ones before it count (a short write), and if it is the first the
 * error is returned: -EINVAL (a bad length, type, flag, padding or size of
 * data), -EFAULT, -ENOTCONN (no device). A bad message changes nothing: its
 * URB is still to be answered. A COMPLETE for an id that is not (or no longer)
 * outstanding is dropped and counted: the URB may have been given back for
 * another reason.
 *
 * When write() returns, the completion handlers of all URBs in it, but
 * isochronous ones, that ended with an error, or short with
 * USBIP_RPC_SHORT_NOT_OK, have run, and the UNLINKs that they asked for can be
 * read (unless handlers take longer than 20 ms). That tells the helper when an
 * endpoint may go on behind an error.
 *
 * Messages
 * --------
 * All are in host byte order and begin with struct usbip_rpc_msg. `len` is the
 * whole length, data and padding with it, and a multiple of 8; padding is
 * zero. Ids are never used twice in the life of a file and are not 0.
 *
 *   kernel -> helper
 *     SUBMIT   struct usbip_rpc_submit, npackets packets, OUT data. An URB.
 *     UNLINK   struct usbip_rpc_msg with the id of a SUBMIT that has been read
 *              before. The SUBMIT must still be answered, by COMPLETE with
 *              whatever happened (-ECONNRESET: cancelled, with what had been
 *              moved until then). What is not answered within 2 s is given
 *              back without.
 *     RESET    struct usbip_rpc_msg. A driver reset the device (not sent for
 *              the resets of the first enumeration). To be answered by
 *              COMPLETE; the port's URBs are held until then, 5 s at most.
 *     ALLOC_STREAMS, FREE_STREAMS   struct usbip_rpc_streams. A driver wants
 *              bulk streams of some endpoints, or no longer. To be answered by
 *              COMPLETE. The driver waits 5 s at most; one that has given up
 *              ALLOC_STREAMS after it was read sends FREE_STREAMS behind it.
 *              Resets (RESET), SET_CONFIGURATION and SET_INTERFACE do away
 *              with streams without such a message. With FEATURE_STREAMS.
 *     SUSPEND, RESUME  struct usbip_rpc_msg, where ATTACH asked for it. The
 *              port was suspended, as drivers have no use for the device at
 *              present; it was resumed. To be answered by COMPLETE, whatever
 *              its status: the port is in that state already. The port's URBs
 *              are held until then, 5 s at most. SUSPEND finds no URB
 *              outstanding but such as are unlinked. A suspension that is over
 *              before it was read is not told. Devices whose drivers need
 *              remote wakeup are not suspended.
 *   helper -> kernel
 *     COMPLETE struct usbip_rpc_complete, npackets packets, IN data.
 *     WAKEUP, PORT_RESET: reserved.
 *
 * Isochronous URBs
 * ----------------
 * A SUBMIT has npackets (1024 at most) struct usbip_rpc_packet with the length
 * of each, then, OUT, their data, one behind the other without gaps, whatever
 * gaps the driver's buffer has; length is their sum. The COMPLETE has as many
 * packets, with what became of each, then, IN, the bytes that came, without
 * gaps again: those of a packet that is shorter than it was asked for are
 * followed at once by the next one's. The module puts each to its place.
 * -EINVAL: npackets is neither that of the SUBMIT nor 0, a packet is longer
 * than in the SUBMIT, actual is not the sum of the packets, error_count not
 * the number of those with a status. A COMPLETE without packets (npackets 0,
 * actual 0) says that none was carried out: each is given back with -EXDEV.
 *
 * The URB's own status is 0 also where packets failed. Answers to one endpoint
 * must come in the order of its SUBMITs: URBs are given back in the order in
 * which they are answered.
 *
 * Frames are counted by the module, in milliseconds (full speed) and eighths
 * of them. start_frame of a SUBMIT is the frame that the URB is scheduled for,
 * by the module's clock, and what its driver will see: behind the URB before
 * it or, if that is over, soon. It is nothing that the target's bus knows of.
 *
 * SET_ADDRESS is answered by the module. All other requests to endpoint 0 are
 * sent; the helper answers what it knows.
 *
 * Changes
 * -------
 *   1  the first.
 */
#ifndef _UAPI_LINUX_USBIP_RPC_H
#define _UAPI_LINUX_USBIP_RPC_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define USBIP_RPC_DEVICE	"usbip-rpc-vhci"	/* in /dev */
#define USBIP_RPC_ABI_VERSION	1

/* Features (struct usbip_rpc_hello); a module sets those it has. */
#define USBIP_RPC_FEATURE_ISOC		(1ULL << 0)	/* isochronous URBs */
#define USBIP_RPC_FEATURE_STREAMS	(1ULL << 1)	/* bulk streams */
#define USBIP_RPC_FEATURE_POWER		(1ULL << 2)	/* SUSPEND, RESUME */

/**
 * struct usbip_rpc_hello - USBIP_RPC_IOC_HELLO
 * @version:	in: the highest ABI version the caller speaks;
 *		out: the one that is used from now on
 * @flags:	in: 0
 * @features:	out: USBIP_RPC_FEATURE_*
 */
struct usbip_rpc_hello {
	__u32 version;
	__u32 flags;
	__u64 features;
};

/* Speeds; the numbers are those of usbip.x. */
enum usbip_rpc_speed {
	USBIP_RPC_SPEED_LOW = 1,
	USBIP_RPC_SPEED_FULL = 2,
	USBIP_RPC_SPEED_HIGH = 3,
	USBIP_RPC_SPEED_SUPER = 4,
	USBIP_RPC_SPEED_SUPER_PLUS = 5,
};

/* Flags of ATTACH. */
#define USBIP_RPC_ATTACH_POWER	(1U << 0)	/* SUSPEND and RESUME are wanted */

/**
 * struct usbip_rpc_attach - USBIP_RPC_IOC_ATTACH
 * @speed:	in: enum usbip_rpc_speed
 * @flags:	in: USBIP_RPC_ATTACH_*, those whose feature HELLO has told
 * @port:	in: the port wanted plus one, or 0 for any (a port is a number
 *		from 0 up, over all controllers of the module; USB 2 and USB 3
 *		ports are of one row); out: the port
 * @busnum:	out: the USB bus of the port's root hub
 * @hubport:	out: the port of that root hub, from 1 up: the device becomes
 *		/sys/bus/usb/devices/@busnum-@hubport
 * @message_max: out: no message of read() is longer
 * @reserved:	0
 */
struct usbip_rpc_attach {
	__u32 speed;
	__u32 flags;
	__u32 port;
	__u32 busnum;
	__u32 hubport;
	__u32 message_max;
	__u64 reserved[2];
};

/**
 * struct usbip_rpc_status - USBIP_RPC_IOC_STATUS; all out
 * @attached:	1 or 0
 * @port, @busnum, @hubport, @speed: as in usbip_rpc_attach; 0 if not attached
 * @devnum:	the device's address on its bus, 0 until it has one
 * @next_len:	the length of the next message that read() gives, 0: none
 * @queued:	URBs that wait for read()
 * @sent:	URBs that were read and are not answered
 * @submitted:	URBs taken from drivers since open, but for SET_ADDRESS
 * @completed:	of these, answered by COMPLETE
 * @unlinked:	of these, unlinked by their driver
 * @timed_out:	unlinked, not answered within 2 s, given back without
 * @dropped:	COMPLETEs for ids that were not outstanding: of URBs that had
 *		been given back, of a RESET that was given up
 */
struct usbip_rpc_status {
	__u32 attached;
	__u32 port;
	__u32 busnum;
	__u32 hubport;
	__u32 speed;
	__u32 devnum;
	__u32 next_len;
	__u32 queued;
	__u32 sent;
	__u32 reserved;
	__u64 submitted;
	__u64 completed;
	__u64 unlinked;
	__u64 timed_out;
	__u64 dropped;
};

#define USBIP_RPC_IOC_MAGIC	0xb9
#define USBIP_RPC_IOC_HELLO	_IOWR(USBIP_RPC_IOC_MAGIC, 0, struct usbip_rpc_hello)
#define USBIP_RPC_IOC_ATTACH	_IOWR(USBIP_RPC_IOC_MAGIC, 1, struct usbip_rpc_attach)
#define USBIP_RPC_IOC_DETACH	_IO(USBIP_RPC_IOC_MAGIC, 2)
#define USBIP_RPC_IOC_STATUS	_IOR(USBIP_RPC_IOC_MAGIC, 3, struct usbip_rpc_status)

enum usbip_rpc_type {
	/* kernel -> helper */
	USBIP_RPC_SUBMIT = 1,
	USBIP_RPC_UNLINK = 2,
	USBIP_RPC_RESET = 3,
	USBIP_RPC_ALLOC_STREAMS = 4,
	USBIP_RPC_FREE_STREAMS = 5,
	USBIP_RPC_SUSPEND = 6,
	USBIP_RPC_RESUME = 7,
	/* helper -> kernel */
	USBIP_RPC_COMPLETE = 64,
	USBIP_RPC_WAKEUP = 65,		/* reserved */
	USBIP_RPC_PORT_RESET = 66,	/* reserved */
};

/**
 * struct usbip_rpc_msg - what every message begins with
 * @len:	of the whole message, in bytes, a multiple of 8
 * @type:	enum usbip_rpc_type
 * @reserved:	0
 * @id:		of the URB or request; in an answer, the one that is answered
 */
struct usbip_rpc_msg {
	__u32 len;
	__u16 type;
	__u16 reserved;
	__u64 id;
};

/* Transfer types, as bmAttributes of an endpoint has them. */
enum usbip_rpc_transfer {
	USBIP_RPC_CONTROL = 0,
	USBIP_RPC_ISOC = 1,
	USBIP_RPC_BULK = 2,
	USBIP_RPC_INTERRUPT = 3,
};

/* Flags of a SUBMIT, of the URB flags those that mean something to a device. */
#define USBIP_RPC_SHORT_NOT_OK	(1U << 0)
#define USBIP_RPC_ZERO_PACKET	(1U << 1)
#define USBIP_RPC_ISO_ASAP	(1U << 2)

/**
 * struct usbip_rpc_submit - an URB
 * @msg:	type USBIP_RPC_SUBMIT
 * @endpoint:	address, direction in bit 7; for control transfers of the
 *		default endpoint 0x00 or 0x80, the direction of the data stage
 * @transfer:	enum usbip_rpc_transfer
 * @stream:	bulk stream, where the endpoint has streams; or 0
 * @flags:	USBIP_RPC_SHORT_NOT_OK ...
 * @length:	bytes of the transfer buffer. OUT: they follow. IN: wanted
 * @interval:	interrupt and isochronous: bInterval of the endpoint
 * @npackets:	isochronous: packets that follow this struct, before the data
 * @start_frame: isochronous: frame, or microframe from high speed on
 * @setup:	control: the setup packet, as it goes over the bus
 */
struct usbip_rpc_submit {
	struct usbip_rpc_msg msg;
	__u8 endpoint;
	__u8 transfer;
	__u16 stream;
	__u32 flags;
	__u32 length;
	__u32 interval;
	__u32 npackets;
	__s32 start_frame;
	__u8 setup[8];
};

/**
 * struct usbip_rpc_streams - streams are wanted, or no longer
 * @msg:	type USBIP_RPC_ALLOC_STREAMS or USBIP_RPC_FREE_STREAMS
 * @endpoints:	a bit each: 1 to 15 the OUT endpoints of these numbers, 17 to 31
 *		the IN endpoints 1 to 15. Bulk endpoints of one interface
 * @streams:	ALLOC: how many each of them should have; FREE: 0
 */
struct usbip_rpc_streams {
	struct usbip_rpc_msg msg;
	__u32 endpoints;
	__u32 streams;
};

/**
 * struct usbip_rpc_complete - the end of an URB, or the answer to a request
 * @msg:	type USBIP_RPC_COMPLETE; id of the SUBMIT, RESET ...
 * @status:	0 or a negative errno: -EPIPE (stall), -EPROTO (bus error),
 *		-EOVERFLOW (babble), -ECONNRESET (unlinked), -ESHUTDOWN (gone),
 *		-EILSEQ, -ETIME, -ENOMEM, -EINVAL; any other is taken as -EPROTO
 * @actual:	bytes that were moved, at most the SUBMIT's length.
 *		IN: that many follow. Valid whatever the status.
 *		ALLOC_STREAMS with status 0: streams granted, from 1 to those
 *		wanted
 * @npackets:	isochronous: as in the SUBMIT, or 0
 * @error_count: isochronous: packets whose status is not 0
 * @start_frame: 0; the module knows
 * @reserved:	0
 */
struct usbip_rpc_complete {
	struct usbip_rpc_msg msg;
	__s32 status;
	__u32 actual;
	__u32 npackets;
	__u32 error_count;
	__s32 start_frame;
	__u32 reserved;
};

/**
 * struct usbip_rpc_packet - one isochronous packet
 * @length:	SUBMIT: bytes in the buffer; COMPLETE: bytes moved. Data of
 *		all packets follows without gaps
 * @status:	SUBMIT: 0; COMPLETE: as in usbip_rpc_complete, or -EXDEV
 */
struct usbip_rpc_packet {
	__u32 length;
	__s32 status;
};

#endif /* _UAPI_LINUX_USBIP_RPC_H */
