"""Contact-centre platforms: an SBC that anchors media, menus, ring groups, trunks to the AI,
campaigns.
"""
