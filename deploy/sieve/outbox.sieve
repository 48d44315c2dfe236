# When the proxy could not learn whether Postfix took a message, it hands it over again. The second copy of one sending
# ends here (RFC 7352). The id is unique for a sender of the envelope, and nobody but its own login sends with an address
# of ours: no stranger can name a sending before its sender does, and so have it taken for a copy.
require ["duplicate", "envelope", "variables"];

if header :matches "X-Xynap-Outbox-ID" "*" {
  set "sending" "${1}";
  if envelope :matches "from" "?*" {
    if duplicate :uniqueid "${1}${2} ${sending}" :seconds 604800 {
      discard;
      stop;
    }
  }
}
