// SPDX-License-Identifier: GPL-2.0
/*
 * hub.c - requests to the root hubs
 *
 * Decodes the requests of the hub driver and answers them; what they do to a
 * port is in port.c. A request that a hub does not have is -EPIPE, as a real
 * hub stalls it.
 */
#include <linux/usb/ch11.h>
#include "vhci.h"

#define LINK_LATENCY	0x04	/* bHubHdrDecLat: 0.4 us, the most there is */

/* Sublink speeds of the USB 3 hub: the speed IDs of its ports. */
enum {
	SSID_GEN1 = 1,	/* 5 Gbit/s */
	SSID_GEN2 = 2,	/* 10 Gbit/s */
};

#define SUBLINK(id, gbps, type, protocol)				\
	cpu_to_le32((id) | 3 << 4 | (type) << 6 | (protocol) << 14 | (gbps) << 16)
#define SYM_RX		0
#define SYM_TX		2
#define LINK_SS		0
#define LINK_SSP	1
#define N_SUBLINKS	4

static const struct {
	struct usb_bos_descriptor bos;
	struct usb_ss_cap_descriptor ss;
	struct {
		__u8 bLength;
		__u8 bDescriptorType;
		__u8 bDevCapabilityType;
		__u8 bReserved;
		__le32 bmAttributes;
		__le16 wFunctionalitySupport;
		__le16 wReserved;
		__le32 bmSublinkSpeedAttr[N_SUBLINKS];
	} __packed ssp;
} __packed bos_descriptor = {
	.bos = {
		.bLength = USB_DT_BOS_SIZE,
		.bDescriptorType = USB_DT_BOS,
		.wTotalLength = cpu_to_le16(sizeof(bos_descriptor)),
		.bNumDeviceCaps = 2,
	},
	/* without link power management: there is no link */
	.ss = {
		.bLength = USB_DT_USB_SS_CAP_SIZE,
		.bDescriptorType = USB_DT_DEVICE_CAPABILITY,
		.bDevCapabilityType = USB_SS_CAP_TYPE,
		.wSpeedSupported = cpu_to_le16(USB_5GBPS_OPERATION),
		.bFunctionalitySupport = 3, /* USB_5GBPS_OPERATION is its bit */
	},
	.ssp = {
		.bLength = USB_DT_USB_SSP_CAP_SIZE(N_SUBLINKS - 1),
		.bDescriptorType = USB_DT_DEVICE_CAPABILITY,
		.bDevCapabilityType = USB_SSP_CAP_TYPE,
		/* numbers of attributes and of IDs, each less one */
		.bmAttributes = cpu_to_le32((N_SUBLINKS - 1) | 1 << 5),
		/* one lane each way, least speed SSID_GEN1 */
		.wFunctionalitySupport = cpu_to_le16(SSID_GEN1 | 1 << 8 | 1 << 12),
		.bmSublinkSpeedAttr = {
			SUBLINK(SSID_GEN1, 5, SYM_RX, LINK_SS),
			SUBLINK(SSID_GEN1, 5, SYM_TX, LINK_SS),
			SUBLINK(SSID_GEN2, 10, SYM_RX, LINK_SSP),
			SUBLINK(SSID_GEN2, 10, SYM_TX, LINK_SSP),
		},
	},
};

static int get_bos(const struct urpc_hub *hub, u16 value, char *buf, u16 length)
{
	size_t n = min_t(size_t, length, sizeof(bos_descriptor));

	if (!hub->super || value >> 8 != USB_DT_BOS)
		return -EPIPE;
	memcpy(buf, &bos_descriptor, n);
	return n;
}

/* Answers are little endian; their buffer is from kmalloc(). */
static void put_le32(char *buf, u32 value)
{
	*(__le32 *)buf = cpu_to_le32(value);
}

/* @buf has room for a whole struct usb_hub_descriptor. */
static int get_hub_descriptor(const struct urpc_hub *hub, u16 value, char *buf)
{
	struct usb_hub_descriptor *desc = (struct usb_hub_descriptor *)buf;
	u8 type = hub->super ? USB_DT_SS_HUB : USB_DT_HUB;
	unsigned int map = hub->n_ports / 8 + 1;

	if (value >> 8 != type)
		return -EPIPE;
	memset(desc, 0, sizeof(*desc));
	desc->bDescriptorType = type;
	desc->bNbrPorts = hub->n_ports;
	desc->wHubCharacteristics = cpu_to_le16(HUB_CHAR_INDV_PORT_LPSM |
						HUB_CHAR_NO_OCPM);
	if (hub->super) {
		desc->bDescLength = USB_DT_SS_HUB_SIZE;
		desc->u.ss.bHubHdrDecLat = LINK_LATENCY;
	} else {
		desc->bDescLength = USB_DT_HUB_NONVAR_SIZE + 2 * map;
		/* DeviceRemovable: all are; then PortPwrCtrlMask: all ones */
		memset(&desc->u.hs.DeviceRemovable[map], 0xff, map);
	}
	return 0;
}

/* wValue and length choose the kind, as since USB 3.1. */
static int get_port_status(struct urpc_port *port, u16 value, char *buf,
			   u16 length)
{
	u32 id = port->speed == USBIP_RPC_SPEED_SUPER_PLUS ? SSID_GEN2 :
							     SSID_GEN1;

	if (value == HUB_EXT_PORT_STATUS && port->hub->super && length >= 8)
		put_le32(buf + 4, id | id << 4);
	else if (value != HUB_PORT_STATUS || length < 4)
		return -EPIPE;
	put_le32(buf, port->status);
	return 0;
}

static int set_port_feature(struct urpc_port *port, u16 feature, u8 selector)
{
	bool super = port->hub->super;

	switch (feature) {
	case USB_PORT_FEAT_POWER:
		urpc_port_set_power(port, true);
		return 0;
	case USB_PORT_FEAT_RESET:
		urpc_port_reset(port, false);
		return 0;
	case USB_PORT_FEAT_BH_PORT_RESET:
		if (!super)
			return -EPIPE;
		urpc_port_reset(port, true);
		return 0;
	case USB_PORT_FEAT_SUSPEND:
		if (super)
			return -EPIPE;
		urpc_port_suspend(port);
		return 0;
	case USB_PORT_FEAT_LINK_STATE:
		if (!super)
			return -EPIPE;
		urpc_port_set_link(port, (u16)selector << 5);
		return 0;
	case USB_PORT_FEAT_U1_TIMEOUT:
	case USB_PORT_FEAT_U2_TIMEOUT:
	case USB_PORT_FEAT_REMOTE_WAKE_MASK:
		return super ? 0 : -EPIPE; /* no link, no timeouts */
	default:
		return -EPIPE;
	}
}

/* The bit of wPortChange that a feature clears, 0: none that this hub has. */
static u16 change_of(const struct urpc_hub *hub, u16 feature)
{
	switch (feature) {
	case USB_PORT_FEAT_C_CONNECTION:
		return USB_PORT_STAT_C_CONNECTION;
	case USB_PORT_FEAT_C_OVER_CURRENT:
		return USB_PORT_STAT_C_OVERCURRENT;
	case USB_PORT_FEAT_C_RESET:
		return USB_PORT_STAT_C_RESET;
	case USB_PORT_FEAT_C_ENABLE:
		return hub->super ? 0 : USB_PORT_STAT_C_ENABLE;
	case USB_PORT_FEAT_C_SUSPEND:
		return hub->super ? 0 : USB_PORT_STAT_C_SUSPEND;
	case USB_PORT_FEAT_C_PORT_LINK_STATE:
		return hub->super ? USB_PORT_STAT_C_LINK_STATE : 0;
	case USB_PORT_FEAT_C_PORT_CONFIG_ERROR:
		return hub->super ? USB_PORT_STAT_C_CONFIG_ERROR : 0;
	case USB_PORT_FEAT_C_BH_PORT_RESET:
		return hub->super ? USB_PORT_STAT_C_BH_RESET : 0;
	default:
		return 0;
	}
}

static int clear_port_feature(struct urpc_port *port, u16 feature)
{
	bool super = port->hub->super;
	u16 bit = change_of(port->hub, feature);

	if (feature == USB_PORT_FEAT_POWER)
		urpc_port_set_power(port, false);
	else if (feature == USB_PORT_FEAT_ENABLE && !super)
		urpc_port_disable(port);
	else if (feature == USB_PORT_FEAT_SUSPEND && !super)
		urpc_port_resume(port);
	else if (bit)
		urpc_port_clear_change(port, bit);
	else
		return -EPIPE;
	return 0;
}

/* Requests to a port; it is locked meanwhile. */
static int port_control(struct urpc_hub *hub, u16 request, u16 value, u16 index,
			char *buf, u16 length)
{
	struct urpc_port *port;
	u8 number = index & 0xff;
	int ret = -EPIPE;

	if (!number || number > hub->n_ports)
		return -EPIPE;
	port = &hub->ports[number - 1];
	spin_lock_irq(&port->lock);
	switch (request) {
	case GetPortStatus:
		ret = get_port_status(port, value, buf, length);
		break;
	case SetPortFeature:
		ret = set_port_feature(port, value, index >> 8);
		break;
	case ClearPortFeature:
		ret = clear_port_feature(port, value);
		break;
	case GetPortErrorCount:
		if (!hub->super || length < 4)
			break;
		put_le32(buf, 0);
		ret = 0;
		break;
	}
	spin_unlock_irq(&port->lock);
	return ret;
}

/* hc_driver.hub_control. */
int urpc_hub_control(struct usb_hcd *hcd, u16 request, u16 value, u16 index,
		     char *buf, u16 length)
{
	struct urpc_hub *hub = urpc_hub_of(hcd);
	int ret;

	switch (request) {
	case DeviceRequest | USB_REQ_GET_DESCRIPTOR:
		return get_bos(hub, value, buf, length);
	case GetHubDescriptor:
		return get_hub_descriptor(hub, value, buf);
	case GetHubStatus:
		if (length < 4)
			return -EPIPE;
		put_le32(buf, 0);
		return 0;
	case SetHubFeature:
	case ClearHubFeature: /* over-current and power: never changed */
		return value == C_HUB_LOCAL_POWER ||
		       value == C_HUB_OVER_CURRENT ? 0 : -EPIPE;
	case SetHubDepth:
		return hub->super ? 0 : -EPIPE;
	}
	ret = port_control(hub, request, value, index, buf, length);
	/* what a request changes is to be looked at, as with a real hub */
	if (!ret && (request == SetPortFeature || request == ClearPortFeature))
		usb_hcd_poll_rh_status(hcd);
	return ret;
}

/* hc_driver.hub_status_data: the ports with changes, a bit each from bit 1. */
int urpc_hub_status_data(struct usb_hcd *hcd, char *buf)
{
	struct urpc_hub *hub = urpc_hub_of(hcd);
	unsigned int i, len = hub->n_ports / 8 + 1;
	bool any = false;

	memset(buf, 0, len);
	for (i = 0; i < hub->n_ports; i++) {
		if (!(READ_ONCE(hub->ports[i].status) >> 16))
			continue;
		buf[(i + 1) / 8] |= 1 << (i + 1) % 8;
		any = true;
	}
	return any ? len : 0;
}
