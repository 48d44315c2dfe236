/// One page of a list, as every list of the API is answered.
public struct Page<Item: Sendable & Codable>: Sendable, Codable {
    public let items: [Item]
    /// From 1.
    public let page: Int
    public let perPage: Int
    /// How many items there are on all pages.
    public let total: Int

    public init(items: [Item], request: PageRequest, total: Int) {
        self.items = items
        self.page = request.page
        self.perPage = request.perPage
        self.total = total
    }

    enum CodingKeys: String, CodingKey {
        case items, page, total
        case perPage = "per_page"
    }
}

/// Which page of a list is wanted.
public struct PageRequest: Sendable, Equatable {
    public let page: Int
    public let perPage: Int

    public static let first = PageRequest(checkedPage: 1, perPage: 50)

    /// - Throws: `Failure` of kind `invalid` for a page below 1 or a page size outside 1 to 200.
    public init(page: Int = 1, perPage: Int = 50) throws(Failure) {
        guard page >= 1, page <= 10_000_000 else {
            throw .invalid("page", code: "out_of_range", "must be from 1 to 10000000")
        }
        guard (1...200).contains(perPage) else {
            throw .invalid("per_page", code: "out_of_range", "must be from 1 to 200")
        }
        self.init(checkedPage: page, perPage: perPage)
    }

    private init(checkedPage: Int, perPage: Int) {
        self.page = checkedPage
        self.perPage = perPage
    }

    /// How many items come before this page.
    public var offset: Int { (page - 1) * perPage }
}
