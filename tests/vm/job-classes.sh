# SPDX-License-Identifier: GPL-2.0-or-later
# Smart card reader, media player, network adapter: each driven by what drives
# it in life.
. /lab/session.sh

# A reader whose driver finds it has answered control, bulk and interrupt.
card_reader() {
	ok "ccid: attach" attach "$(there 08e6:4433)" || return
	spawn pcscd pcscd -f -d
	ok "ccid: pcscd opens the reader" until_true 20 \
		grep -q 'Reader supports 1 slot' \
		/tmp/pcscd.log || tail -n 20 /tmp/pcscd.log | sed 's/^/#   /'
	kill "$(pidof pcscd)"
	until_true 5 not pidof pcscd
	ok "ccid: detach" detach
}

player() {
	ok "mtp: attach" attach "$(there 46f4:0004)" || return
	ok "mtp: a file is listed" sh -c "mtp-files 2>&1 | grep photo.jpg"
	num=$(mtp-files 2>/dev/null | sed -n 's/^File ID: //p' | head -1)
	ok "mtp: fetch it" mtp-getfile "$num" /tmp/photo.jpg
	is "mtp: it is the file" "$(sha256sum </tmp/photo.jpg)" \
		"$(host file-sum mtp/photo.jpg)"
	rm -f /tmp/photo.jpg
	ok "mtp: detach" detach
}

network() {
	local nic
	ok "net: attach" attach "$(there 0525:a4a2)" || return
	until_true 15 eval 'ls -d $(here 0525:a4a2)/*/net/*'
	nic=$(ls -d "$(here 0525:a4a2)"/*/net/* | sed 's|.*/||')
	ok "net: there is an interface" [ -n "$nic" ] || { detach; return; }
	ip link set "$nic" up
	ip addr add 10.8.0.15/24 dev "$nic"
	ok "net: five big pings" ping -c 5 -s 1400 -W 5 10.8.0.2
	ok "net: fetch a file" tftp -g -r blob -l /tmp/blob 10.8.0.2
	is "net: it is the file" "$(sha256sum </tmp/blob)" \
		"$(host file-sum tftp/blob)"
	rm -f /tmp/blob
	ok "net: detach" detach
}

modprobe usbip-rpc-vhci
share
card_reader
player
network
