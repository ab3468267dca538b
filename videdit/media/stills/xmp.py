"""The XMP packet of a still: what the IPTC's photo metadata standard says about pictures that a model has changed."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

# The IPTC's term for pictures that a trained model changed in part.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_END = b"</rdf:RDF>"
_EMPTY = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def say_edited(xmp: bytes | None, how: str) -> bytes:
    """A packet (a new one for None, or for one that cannot be added to) that says a model made part of the picture.

    how: with which tool, in words.
    """
    packet = xmp if xmp and xmp.count(_END) == 1 else _EMPTY
    description = (
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"\n'
        f" Iptc4xmpExt:DigitalSourceType={quoteattr(SOURCE_TYPE)}\n"
        f" Iptc4xmpExt:AISystemUsed={quoteattr(how)}/>\n"
    )
    return packet.replace(_END, description.encode() + _END)
